"""Odil as a foreign peer: echo, store, get. Run by the system's interpreter, that has odil."""

import sys
from pathlib import Path

import odil

Context = odil.AssociationParameters.PresentationContext
UNCOMPRESSED = [odil.registry.ExplicitVRLittleEndian, odil.registry.ImplicitVRLittleEndian]


def associated(port, called, calling, contexts):
    association = odil.Association()
    association.set_peer_host("127.0.0.1")
    association.set_peer_port(int(port))
    parameters = association.update_parameters()
    parameters.set_calling_ae_title(calling).set_called_ae_title(called)
    parameters.set_presentation_contexts(contexts)
    association.associate()
    return association


def proposed(kinds, role):
    """One presentation context for each kind: SOP class and transfer syntax."""
    return [Context(sop_class, [syntax], role) for sop_class, syntax in kinds]


def echo(port, called, calling):
    contexts = [Context(odil.registry.Verification, UNCOMPRESSED, Context.Role.SCU)]
    association = associated(port, called, calling, contexts)
    odil.EchoSCU(association).echo()
    association.release()


def store(port, called, calling, *files):
    read = [odil.Reader.read_file(name) for name in files]
    kinds = {
        (m.as_string("MediaStorageSOPClassUID")[0], m.as_string("TransferSyntaxUID")[0]) for m, _ in read
    }
    association = associated(port, called, calling, proposed(sorted(kinds), Context.Role.SCU))
    scu, failed = odil.StoreSCU(association), []
    for name, (_, data_set) in zip(files, read, strict=True):
        try:
            scu.set_affected_sop_class(data_set)
            scu.store(data_set)
        except odil.Exception as error:
            failed.append(f"{name}: {error}")
    association.release()
    sys.exit("\n".join(failed) or 0)


def get(port, called, calling, study, folder, *kinds):
    service = odil.registry.StudyRootQueryRetrieveInformationModelGet
    contexts = [Context(service, UNCOMPRESSED, Context.Role.SCU)]
    contexts += proposed((kind.split("/") for kind in kinds), Context.Role.SCP)
    association = associated(port, called, calling, contexts)
    query = odil.DataSet()
    query.add("QueryRetrieveLevel", ["STUDY"])
    query.add("StudyInstanceUID", [study])

    def take(data_set):
        uid = data_set.as_string("SOPInstanceUID")[0].decode("ascii")
        name = str(Path(folder) / uid)
        odil.Writer.write_file(data_set, name, transfer_syntax=data_set.get_transfer_syntax())

    scu = odil.GetSCU(association)
    scu.set_affected_sop_class(service)
    scu.get(query, take)
    association.release()


COMMANDS = {"echo": echo, "store": store, "get": get}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
