package catalog

import "time"

// Stamp is a time-stamp token (RFC 3161) over a checkpoint of the custody log: an
// outside authority's word that the log had come so far at a time.
type Stamp struct {
	Size       int64  // entries under the checkpoint
	Checkpoint []byte // its text; the token is over its SHA-256
	Token      []byte // DER
	Roots      []byte // PEM: the authorities that were trusted when it came
	Authority  string // name of the signer
	At         time.Time
}
