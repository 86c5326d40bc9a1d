"""The catalogue on a server's own PostgreSQL: TCP, passwords, plain roles; set up as the manual says."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.catalogue.migrator import bundled
from tests.foreign import associated, get, identifier, store
from tests.gateway_process import CommandFailedError, GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, Instance, ct, study_of
from tests.own_postgresql import OwnPostgresql, own_postgresql
from tests.postgresql import KINDS
from tests.raw_peer import ASSOCIATE_RJ, RawPeer

pytestmark = pytest.mark.filterwarnings("ignore")

Make = Callable[..., GatewayProcess]
OUT_OF_RESOURCES, SUCCESS = 0xA700, 0x0000
CONGESTION = (ASSOCIATE_RJ, bytes((2, 3, 1)))
UNCONFIGURED = "catalogue.migration_dsn is not set"


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[OwnPostgresql]:
    """The dependency's programs; `each_server` asks for Debian's as well."""
    with own_postgresql(getattr(request, "param", "embedded")) as running:
        yield running


each_server = pytest.mark.parametrize("server", KINDS, indirect=True)


@pytest.fixture
def database(server: OwnPostgresql) -> str:
    return server.new_database()


def config(server: OwnPostgresql, database: str, **dsns: str) -> str:
    values = {
        "dsn": server.dsn("kuva_gateway", database),
        "migration_dsn": server.dsn("kuva_owner", database),
        **dsns,
    }
    lines = [f'{name} = "{value}"' for name, value in values.items()]
    return "\n".join(["[catalogue]", 'query_seconds_max = "5 s"', *lines, ""])


def unstarted(folder: Path, text: str) -> GatewayProcess:
    return GatewayProcess(folder, config=text)


@pytest.fixture(scope="module")
def template(server: OwnPostgresql, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database that `kuva schema migrate` has been at, for others to be copied from."""
    name = server.new_database()
    told = unstarted(tmp_path_factory.mktemp("migrated"), config(server, name)).kuva("schema", "migrate")
    assert told["applied"] == [str(step) for step in bundled()]
    return name


@pytest.fixture
def migrated(server: OwnPostgresql, template: str) -> str:
    return server.new_database(template)


def admit(gateway: GatewayProcess, calling: str = "TESTSCU", vault: str = "one") -> None:
    gateway.kuva("ae", "add", calling, "--vault", vault)


def fetched(gateway: GatewayProcess, study: str, calling: str = "TESTSCU") -> dict[str, bytes]:
    wanted = identifier("STUDY", StudyInstanceUID=study)
    return get(gateway, wanted, [(CT, EXPLICIT)], calling=calling)[1]


def stored(gateway: GatewayProcess, study: list[Instance], folder: Path, calling: str = "TESTSCU") -> None:
    answers = store(gateway, study, folder, calling=calling)
    assert [answer.Status for answer in answers] == [SUCCESS] * len(study)


def returned(gateway: GatewayProcess, study: list[Instance], calling: str = "TESTSCU") -> None:
    """Eventually all of it comes back, byte for byte."""
    kept = {one.sop_instance: one.data_set for one in study}

    def whole() -> bool:
        turned_away = answer_to(gateway, calling) == CONGESTION  # for now: a dead session was met
        return not turned_away and fetched(gateway, study[0].study, calling) == kept

    eventually(whole, 30, "the study's return")


def answer_to(gateway: GatewayProcess, calling: str = "TESTSCU") -> tuple[int, bytes]:
    """The type of the PDU that answers an A-ASSOCIATE-RQ, and result, source and reason if it is a rejection."""
    with RawPeer(gateway.dicom_port) as peer:
        kind, body = peer.associate([(1, CT, [EXPLICIT])], calling=calling)
        return kind, bytes(body[1:4])


def refusal(folder: Path, text: str, *words: str) -> CommandFailedError:
    with pytest.raises(CommandFailedError) as refused:
        unstarted(folder, text).kuva(*words)
    assert "Traceback" not in refused.value.complaint
    return refused.value


# --- as the manual says -------------------------------------------------------------------------


@each_server
def test_migrated_served_stored_given_back_and_restarted(
    server: OwnPostgresql, database: str, another_gateway: Make, tmp_path: Path
):
    text = config(server, database)
    told = unstarted(tmp_path, text).kuva("schema", "migrate", plain=True)
    assert told.startswith("applied 0001_pre_catalogue")
    assert unstarted(tmp_path, text).kuva("schema", "migrate", plain=True) == "up to date\n"
    gateway = another_gateway(text)
    assert not gateway.ready["embedded"]
    assert not (gateway.data / "postgresql").exists()
    admit(gateway)
    study = study_of(5)
    stored(gateway, study, tmp_path)
    returned(gateway, study)
    assert gateway.stop() == 0
    assert server.sessions(database) == 0
    gateway.start()
    returned(gateway, study)
    gateway.kill()
    gateway.start()
    returned(gateway, study)
    assert gateway.ready["epoch"] == 3


def test_a_role_of_another_name_serves_as_a_member(
    server: OwnPostgresql, migrated: str, another_gateway: Make, tmp_path: Path
):
    name, word = server.new_role("IN ROLE kuva_gateway")
    dsn = f"postgresql://{name}:{word}@127.0.0.1:{server.port}/{migrated}"
    gateway = another_gateway(config(server, migrated, dsn=dsn))
    admit(gateway)
    study = study_of(2)
    stored(gateway, study, tmp_path)
    returned(gateway, study)


# --- vaults apart -------------------------------------------------------------------------------


@each_server
def test_vaults_are_kept_apart_by_the_server_itself(
    server: OwnPostgresql, migrated: str, another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway(config(server, migrated))
    for calling, vault in (("ONE", "one"), ("TWO", "two")):
        admit(gateway, calling, vault)
    mine, theirs = study_of(2), study_of(3)
    stored(gateway, mine, tmp_path, "ONE")
    stored(gateway, theirs, tmp_path, "TWO")
    returned(gateway, mine, "ONE")
    returned(gateway, theirs, "TWO")
    assert fetched(gateway, theirs[0].study, "ONE") == {}

    def seen(vaults: str, table: str) -> int:
        """By a query that forgets to ask for a vault, in the gateway's own role."""
        sql = f"""SELECT count(*) AS n FROM kuva.{table}, set_config('kuva.vaults', '{vaults}', false) AS named
                  WHERE named IS NOT NULL"""
        return int(server.fetch(sql, migrated, "kuva_gateway")[0]["n"])

    ids = {
        row["name"]: str(row["id"])
        for row in server.fetch("SELECT * FROM kuva.vault", migrated, "kuva_gateway")
    }
    for table in ("study", "open_batch"):
        assert server.fetch(f"SELECT * FROM kuva.{table}", migrated, "kuva_gateway") == []
        assert seen(f"{{{ids['one']}}}", table) == 1
        assert seen(f"{{{ids['one']},{ids['two']}}}", table) == 2
    server.execute("ALTER TABLE kuva.study DISABLE ROW LEVEL SECURITY", migrated)  # control
    assert seen(f"{{{ids['one']}}}", "study") == 2
    gateway.stop()
    error = refusal(tmp_path, config(server, migrated), "serve")
    assert (error.code, "row-level security is off on 1 of its tables" in error.complaint) == (1, True)


# --- who and what is refused --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("SUPERUSER", "is a superuser or bypasses row-level security"),
        ("BYPASSRLS IN ROLE kuva_gateway", "is a superuser or bypasses row-level security"),
        ("IN ROLE kuva_owner, kuva_gateway", "owns the schema"),
        ("NOINHERIT IN ROLE kuva_owner", "InsufficientPrivilegeError"),
    ],
)
def test_a_role_that_row_level_security_would_not_bind_does_not_serve(
    server: OwnPostgresql, migrated: str, tmp_path: Path, what: str, reason: str
):
    name, word = server.new_role(what)
    dsn = f"postgresql://{name}:{word}@127.0.0.1:{server.port}/{migrated}"
    error = refusal(tmp_path, config(server, migrated, dsn=dsn), "serve")
    assert error.code == 1
    assert reason in error.complaint
    assert word not in error.complaint


def test_the_owner_does_not_serve(server: OwnPostgresql, migrated: str, tmp_path: Path):
    error = refusal(tmp_path, config(server, migrated, dsn=server.dsn("kuva_owner", migrated)), "serve")
    assert (error.code, "the role kuva_owner owns the schema" in error.complaint) == (1, True)


def test_a_member_of_a_bypassing_role_does_not_serve(server: OwnPostgresql, migrated: str, tmp_path: Path):
    bypassing, _ = server.new_role("BYPASSRLS")
    name, word = server.new_role(f"IN ROLE kuva_gateway, {bypassing}")
    dsn = f"postgresql://{name}:{word}@127.0.0.1:{server.port}/{migrated}"
    error = refusal(tmp_path, config(server, migrated, dsn=dsn), "serve")
    assert (error.code, "is a member of one that bypasses" in error.complaint) == (1, True)


@each_server
@pytest.mark.parametrize(
    ("role", "reason"),
    [("postgres", "is a superuser"), ("kuva_gateway", "InsufficientPrivilegeError 42501: permission denied")],
)
def test_only_the_plain_owner_migrates(
    server: OwnPostgresql, database: str, tmp_path: Path, role: str, reason: str
):
    text = config(server, database, migration_dsn=server.dsn(role, database))
    error = refusal(tmp_path, text, "schema", "migrate")
    assert error.code == 1
    assert reason in error.complaint
    assert server.fetch("SELECT FROM pg_namespace WHERE nspname = 'kuva'", database) == []


@pytest.mark.parametrize("words", [("serve",), ("schema", "migrate")])
def test_a_wrong_password_is_said_and_never_shown(
    server: OwnPostgresql, migrated: str, tmp_path: Path, words: tuple[str, ...]
):
    wrong = {
        "dsn": server.dsn("kuva_gateway", migrated, password="secret-1"),
        "migration_dsn": server.dsn("kuva_owner", migrated, password="secret-2"),
    }
    error = refusal(tmp_path, config(server, migrated, **wrong), *words)
    assert error.code == 1
    assert "password authentication failed for user" in error.complaint
    assert "secret" not in error.complaint


def test_a_database_that_is_not_there_is_named(server: OwnPostgresql, tmp_path: Path):
    error = refusal(tmp_path, config(server, "nowhere"), "serve")
    assert (error.code, 'database "nowhere" does not exist' in error.complaint) == (1, True)


def test_nobody_at_the_address_is_said(server: OwnPostgresql, migrated: str, tmp_path: Path):
    text = config(server, migrated).replace(f":{server.port}/", ":1/")
    for words in (("serve",), ("schema", "migrate")):
        error = refusal(tmp_path, text, *words)
        assert error.code == 1
        assert "Connection refused" in error.complaint or "Connect call failed" in error.complaint


# --- the schema ---------------------------------------------------------------------------------


def test_a_schema_that_was_never_made_is_not_served(server: OwnPostgresql, database: str, tmp_path: Path):
    error = refusal(tmp_path, config(server, database), "serve")
    assert error.code == 1
    lacking = f"lacks {len(bundled())} migrations, from 0001_pre_catalogue on: run 'kuva schema migrate'"
    assert lacking in error.complaint


def test_a_schema_of_a_newer_program_is_neither_served_nor_migrated(
    server: OwnPostgresql, migrated: str, tmp_path: Path
):
    server.execute("INSERT INTO public.kuva_migration VALUES (900, '0900_pre_later', 'x')", migrated)
    for words in (("serve",), ("schema", "migrate")):
        error = refusal(tmp_path, config(server, migrated), *words)
        assert error.code == 1
        assert "the database has migration 900; it is newer than this program" in error.complaint


def test_without_an_owners_url_there_is_nothing_to_migrate(tmp_path: Path):
    error = refusal(tmp_path, "", "schema", "migrate")
    assert error.code == 2
    assert UNCONFIGURED in error.complaint


def test_without_the_gateways_role_nothing_is_migrated_and_the_role_is_named(
    server: OwnPostgresql, database: str, tmp_path: Path
):
    server.execute("ALTER ROLE kuva_gateway RENAME TO kuva_elsewhere")
    try:
        error = refusal(tmp_path, config(server, database), "schema", "migrate")
    finally:
        server.execute("ALTER ROLE kuva_elsewhere RENAME TO kuva_gateway")
    assert (error.code, "the role kuva_gateway does not exist" in error.complaint) == (1, True)


# --- away and back ------------------------------------------------------------------------------


@each_server
@pytest.mark.parametrize("immediately", [False, True], ids=["stopped", "crashed"])
def test_what_is_received_while_the_database_is_away_lands_when_it_is_back(
    server: OwnPostgresql, migrated: str, another_gateway: Make, tmp_path: Path, immediately: bool
):
    gateway = another_gateway(config(server, migrated))
    admit(gateway)
    study = study_of(6)
    with associated(gateway, [(CT, EXPLICIT)]) as association:
        assert association.send_c_store(study[0].write(tmp_path)).Status == SUCCESS
        server.stop(immediately=immediately)
        try:
            for one in study[1:]:  # their study is open on this node
                assert association.send_c_store(one.write(tmp_path)).Status == SUCCESS
            assert association.send_c_store(ct().write(tmp_path)).Status == OUT_OF_RESOURCES
            assert gateway.get("/ready")[0] == 503
            assert answer_to(gateway) == CONGESTION
        finally:
            server.start()
        assert association.send_c_store(ct().write(tmp_path)).Status == SUCCESS
    eventually(lambda: gateway.get("/ready")[0] == 200, 15, "readiness")
    returned(gateway, study)
    assert gateway.stop() == 0


def test_sessions_that_the_server_ends_are_replaced(
    server: OwnPostgresql, migrated: str, another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway(config(server, migrated))
    admit(gateway)
    for _ in range(3):
        eventually(lambda: gateway.get("/ready")[0] == 200, 15, "readiness")
        study = study_of(2)
        stored(gateway, study, tmp_path)
        server.cut(migrated)
        returned(gateway, study)


def test_the_gateway_stops_in_order_while_the_database_is_away(
    server: OwnPostgresql, migrated: str, another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway(config(server, migrated))
    admit(gateway)
    study = study_of(3)
    with associated(gateway, [(CT, EXPLICIT)]) as association:
        assert association.send_c_store(study[0].write(tmp_path)).Status == SUCCESS
        server.stop()
        try:
            for one in study[1:]:
                assert association.send_c_store(one.write(tmp_path)).Status == SUCCESS
            gateway.terminate()
            association.release()
            assert gateway.wait(60) == 0
        finally:
            server.start()
    gateway.start()
    returned(gateway, study)


def test_a_password_that_is_changed_under_way_turns_callers_away_for_now(
    server: OwnPostgresql, migrated: str, another_gateway: Make, tmp_path: Path
):
    name, word = server.new_role("IN ROLE kuva_gateway")
    dsn = f"postgresql://{name}:{word}@127.0.0.1:{server.port}/{migrated}"
    gateway = another_gateway(config(server, migrated, dsn=dsn))
    admit(gateway)
    server.execute(f"ALTER ROLE {name} PASSWORD 'changed'")
    server.cut(migrated)

    eventually(lambda: answer_to(gateway) == CONGESTION, 15, "a rejection")
    server.execute(f"ALTER ROLE {name} PASSWORD '{word}'")
    study = study_of(2)
    eventually(lambda: gateway.get("/ready")[0] == 200, 15, "readiness")
    stored(gateway, study, tmp_path)
    returned(gateway, study)


def test_a_standby_that_takes_no_writes_is_waited_for(
    server: OwnPostgresql, migrated: str, another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway(config(server, migrated))
    admit(gateway)
    study = study_of(2)
    server.execute(f"ALTER DATABASE {migrated} SET default_transaction_read_only = on")
    server.cut(migrated)
    eventually(lambda: gateway.get("/ready")[0] == 200, 15, "readiness")
    answers = store(gateway, study, tmp_path)
    assert {answer.Status for answer in answers} <= {SUCCESS, OUT_OF_RESOURCES}
    server.execute(f"ALTER DATABASE {migrated} RESET default_transaction_read_only")
    server.cut(migrated)
    eventually(lambda: gateway.get("/ready")[0] == 200, 15, "readiness")
    stored(gateway, study, tmp_path)
    returned(gateway, study)
