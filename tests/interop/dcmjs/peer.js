// dcmjs-dimse as a foreign peer of the tests: echo, store, get, accept. Ends with 1 where it failed.
"use strict";

const path = require("path");
const dimse = require("dcmjs-dimse");
const { Client, Scp, Server } = dimse;
const { PresentationContext } = dimse.association;
const { CEchoRequest, CGetRequest, CStoreRequest } = dimse.requests;
const { CEchoResponse, CStoreResponse } = dimse.responses;
const { PresentationContextResult, Status } = dimse.constants;

dimse.log.setLevel("warn");

const fail = (why) => {
  console.error(String(why));
  process.exitCode = 1;
};

function send(port, called, calling, requests, prepare = () => {}) {
  const client = new Client();
  let answered = 0;
  for (const request of requests) {
    request.on("response", (response) => {
      if (response.getStatus() === Status.Pending) return;
      answered += 1;
      if (response.getStatus() !== Status.Success) {
        fail(`answered ${response.getStatus().toString(16)}: ${response.getErrorComment()}`);
      }
    });
    client.addRequest(request);
  }
  prepare(client);
  client.on("associationRejected", (result) => fail(`rejected: ${JSON.stringify(result)}`));
  client.on("networkError", fail);
  client.on("closed", () => {
    if (answered !== requests.length) fail(`${answered} of ${requests.length} requests were answered`);
  });
  client.send("127.0.0.1", port, calling, called);
}

function take(folder) {
  return (request, respond) => {
    const name = path.join(folder, request.getAffectedSopInstanceUid());
    const response = CStoreResponse.fromRequest(request);
    request.getDataset().toFile(name, (error) => {
      if (error) fail(error);
      response.setStatus(error ? Status.ProcessingFailure : Status.Success);
      respond(response);
    });
  };
}

// kinds: SOP class and transfer syntax joined by "/", each proposed as a presentation context of its own.
function get(port, called, calling, study, folder, ...kinds) {
  const request = CGetRequest.createStudyGetRequest(study);
  send(port, called, calling, [request], (client) => {
    client.on("cStoreRequest", take(folder));
    for (const kind of kinds) {
      const [sopClass, transferSyntax] = kind.split("/");
      client.addAdditionalPresentationContext(new PresentationContext(0, sopClass, transferSyntax), true);
    }
  });
}

function accept(port, folder) {
  class Acceptor extends Scp {
    associationRequested(association) {
      for (const { id } of association.getPresentationContexts()) {
        const context = association.getPresentationContext(id);
        context.setResult(PresentationContextResult.Accept, context.getTransferSyntaxUids()[0]);
      }
      this.sendAssociationAccept();
    }
    cEchoRequest(request, respond) {
      const response = CEchoResponse.fromRequest(request);
      response.setStatus(Status.Success);
      respond(response);
    }
    cStoreRequest(request, respond) {
      take(folder)(request, respond);
    }
    associationReleaseRequested() {
      this.sendAssociationReleaseResponse();
    }
  }
  const server = new Server(Acceptor);
  server.on("networkError", fail);
  server.listen(port);
}

const [command, port, ...rest] = process.argv.slice(2);
const commands = {
  echo: (called, calling) => send(port, called, calling, [new CEchoRequest()]),
  store: (called, calling, ...files) => send(port, called, calling, files.map((f) => new CStoreRequest(f))),
  get: (...words) => get(port, ...words),
  accept: (folder) => accept(port, folder),
};
commands[command](...rest);
