// Package server joins the ingest server's parts and runs them: catalog,
// vault, custody log, custody, the docks' entrance (QUIC) and the web entrance
// (HTTPS: dashboard, API, enrolment, the public part of the custody log).
//
// It promises that nothing of a data folder is touched while another server
// runs on it, that what is missing or wrong is told in one plain sentence
// before anything starts, and that at the end of its context it takes nothing
// new, lets recordings that are being proven come to their receipt, and leaves
// a folder from which the next start goes on. Files that a crash left unfinished are
// removed by the next start.
//
// It decides nothing about evidence. The ingest command line is its only
// caller.
package server
