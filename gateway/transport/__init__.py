"""Sockets: associations as acceptor and requestor; they own sockets and timers and know no grammar."""
