// Package edge keeps the certificate that browsers and programs are shown: the agency's
// own, read from files or got by ACME (RFC 8555). Docks never see it: their links and
// their enrolment stand on the server's own authority alone.
//
// It promises that no handshake waits for a file, a disk or another machine; that a
// pair of certificate and key is shown only after it was judged; that one which is
// broken, mismatched or out of its time never takes the place of one that works; and
// that people are told in time of an end that comes, and of a replacement that is of no
// use, with what is wrong. Where there is nothing to show yet, the certificate of the
// server's own authority is.
//
// server runs it, wires it into HTTPS, and shows its State on the posture page. A Service
// is safe for concurrent use.
package edge
