//! The listener: takes the reports that an archive brings on associations of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use kuva_core::association::{Association, AssociationLimits, Event};
use kuva_core::pdu::{
    AssociateAc, AssociateRq, ContextResult, PresentationContextAnswered, UserInformation,
};

use crate::Trouble;
use crate::commitment::{Incoming, SOP_CLASS, TRANSFER_SYNTAX};
use crate::ledger::Ledger;

/// Opens the port, and serves it for as long as the program lives.
pub fn listen(port: u16, ledger: &Arc<Ledger>) -> Result<(), Trouble> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .map_err(|error| format!("port {port} for reports: {error}"))?;
    let ledger = Arc::clone(ledger);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let ledger = Arc::clone(&ledger);
            std::thread::spawn(move || {
                // What it complains of shows as a report that never came; this says why.
                if let Err(trouble) = serve(socket, &ledger) {
                    eprintln!("kuva-load: an association with reports: {trouble}");
                }
            });
        }
    });
    Ok(())
}

/// One association, until its end.
fn serve(mut socket: TcpStream, ledger: &Ledger) -> Result<(), Trouble> {
    socket.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut engine = Association::acceptor(AssociationLimits::default());
    let (mut incoming, mut buffer) = (Incoming::default(), vec![0; 64 << 10]);
    loop {
        let length = socket.read(&mut buffer).map_err(|error| error.to_string())?;
        if length == 0 {
            return Ok(());
        }
        let mut input = &buffer[..length];
        while let Some(event) = engine.next(&mut input).map_err(|failure| failure.to_string())? {
            let reply = match incoming.take(event) {
                Ok(None) => continue,
                Ok(Some(report)) => {
                    ledger.reported(&report.read(&engine)?, Instant::now())?;
                    report.answer(&engine)?
                }
                Err(other) => match reply(&mut engine, &other)? {
                    Some(reply) => reply,
                    None => return Ok(()),
                },
            };
            socket.write_all(&reply).map_err(|error| error.to_string())?;
        }
    }
}

/// The answer to what is no report; `None` if the association is over.
fn reply(engine: &mut Association, event: &Event<'_>) -> Result<Option<Vec<u8>>, Trouble> {
    let bytes = match event {
        Event::AssociateRequested(request) => engine.accept(&answer(request)),
        Event::ReleaseRequested => engine.release_response(),
        Event::Aborted(_) => return Ok(None),
        other => return Err(format!("an unexpected event: {other:?}")),
    };
    bytes.map(Some).map_err(|error| error.to_string())
}

/// Takes storage commitment, with the requestor as the SCP that it is (PS3.4 J.3.3).
fn answer(request: &AssociateRq) -> AssociateAc {
    let contexts = request.contexts.iter().map(|context| {
        let refused = |result| PresentationContextAnswered::refused(context.id, result);
        let plain = context.transfer_syntaxes.iter().any(|syntax| **syntax == *TRANSFER_SYNTAX);
        match (&*context.abstract_syntax == SOP_CLASS, plain) {
            (true, true) => PresentationContextAnswered::accepted(context.id, TRANSFER_SYNTAX),
            (true, false) => refused(ContextResult::TransferSyntaxesNotSupported),
            (false, _) => refused(ContextResult::AbstractSyntaxNotSupported),
        }
    });
    let roles = request.user_information.roles.clone();
    let information = UserInformation {
        implementation_class_uid: Some(kuva_core::implementation::CLASS_UID.into()),
        implementation_version_name: Some(kuva_core::implementation::VERSION_NAME.into()),
        roles,
        ..UserInformation::default()
    };
    AssociateAc::answering(request, contexts.collect(), information)
}
