// Package enrol makes a machine a dock of one server: it draws the dock's keys,
// takes the server's word for its name and certificate, and pins what the server's
// receipts are judged by. Afterwards Load gives all of it to the daemon.
//
// # What it promises
//
// Private keys are made here and never leave the machine. The server is believed
// only under the authority whose fingerprint is in the enrolment token, so a
// token that came by a safe way makes everything pinned here safe. A crash or a
// refusal in between leaves the old enrolment, or none.
//
// # What it does not promise
//
// The token is a secret until it is used. Whoever reads the data folder has the
// dock's keys, and can speak as this dock until it is disabled at the server.
//
// # Files, in the folder identity below the data folder
//
//	tls.key, tls.crt    the dock's key and certificate for the connection
//	ca.crt              the server's authority
//	statement.key       signs manifests, inventories and releases
//	enrolment.json      names, address, agency key, keys to judge receipts by;
//	                    written last: without it the dock is not enrolled
//
// The command line and the daemon call it.
package enrol
