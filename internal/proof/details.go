package proof

import (
	"strconv"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Names of the details that an evidence.stored event carries.
const (
	DetailCamera     = "camera"
	DetailPath       = "path"
	DetailPathDigest = "path_sha256" // in place of a path longer than maxPathDetail
	DetailLength     = "length"
	DetailSHA256     = "sha256"
	DetailMerkleRoot = "merkle_root"
	DetailManifest   = "manifest_sha256"
	DetailAttempt    = "attempt"
)

// maxPathDetail bounds a path in an event, in bytes. The event travels twice
// encoded inside a receipt, which must fit its frame whatever a camera calls
// its recordings.
const maxPathDetail = 512

// StoredDetails are the details of the evidence.stored event that the receipt
// rests on. The server logs them, CheckReceipt demands them.
func StoredDetails(r *evidence.Receipt) map[string]string {
	d := map[string]string{
		DetailCamera:     r.CameraSerial,
		DetailLength:     strconv.FormatUint(r.Length, 10),
		DetailSHA256:     r.SHA256.String(),
		DetailMerkleRoot: r.MerkleRoot.String(),
		DetailManifest:   r.ManifestDigest.String(),
		DetailAttempt:    strconv.FormatUint(uint64(r.Attempt), 10),
	}
	if len(r.Path) <= maxPathDetail {
		d[DetailPath] = r.Path
	} else {
		d[DetailPathDigest] = evidence.SHA256([]byte(r.Path)).String()
	}
	return d
}
