package reading

import (
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Verdict is the result of one comparison.
type Verdict string

// The verdicts.
const (
	Equal   Verdict = "equal"
	Unequal Verdict = "unequal"
	Pending Verdict = "pending" // not compared yet
	Unknown Verdict = "unknown" // the statement that says it cannot be read or verified
)

// Place is where the bytes were when they were hashed.
type Place string

// The places, in the order in which a recording passes them.
const (
	AtCamera  Place = "camera"  // the second, independent read of the camera, or the hash that it signed
	AtDock    Place = "dock"    // the dock's signed manifest
	OnArrival Place = "arrival" // each part, as it came
	AtRest    Place = "rest"    // read back from the store's medium
)

// Check is one place of the chain from camera to disk. The dock commits to two
// hashes in one pass: the SHA-256 of the whole, and the Merkle root over parts
// of 1 MiB (RFC 6962). Each later pass checks one of them.
type Check struct {
	Place      Place
	SHA256     *evidence.Digest // nil where this pass takes the other hash
	MerkleRoot *evidence.Digest
	Encoding   evidence.Encoding // MerkleRoot is of the content, encoded like this; else of the recording
	Verdict    Verdict
}

// checks compares what was signed and kept. It reads no blob.
func checks(v *ItemView) []Check {
	camera, dock := Check{Place: AtCamera, Verdict: Unknown}, Check{Place: AtDock, Verdict: Unknown}
	arrival, rest := Check{Place: OnArrival, Verdict: Pending}, Check{Place: AtRest, Verdict: Pending}
	if m := v.Manifest; m != nil {
		dock.SHA256, dock.MerkleRoot = &m.SHA256, &m.MerkleRoot
		switch m.Confirmed {
		case evidence.ConfirmedByReread:
			camera.MerkleRoot = &m.MerkleRoot
		case evidence.ConfirmedByCamera:
			camera.SHA256 = m.Recording.Signed
		}
		if v.ManifestSigned {
			camera.Verdict = verdict(camera.MerkleRoot != nil || camera.SHA256 != nil && *camera.SHA256 == m.SHA256)
			dock.Verdict = verdict(m.SHA256 == v.Item.SHA256 && m.MerkleRoot == v.Item.MerkleRoot)
		}
		arrival = arrivalCheck(v)
		rest = restCheck(v)
	}
	if v.Item.Kind == evidence.KindDerivative {
		return []Check{dock, arrival, rest} // no camera holds it; at AtDock it was made and signed
	}
	return []Check{camera, dock, arrival, rest}
}

// arrivalCheck recomputes the root over the leaves with which each part was
// compared before it was written.
func arrivalCheck(v *ItemView) Check {
	c := Check{Place: OnArrival, Verdict: Pending}
	leaves, err := evidence.DecodeLeaves(v.Item.Leaves)
	if err != nil || uint64(len(leaves)) != evidence.LeafCount(v.Manifest.Sealed().Length) {
		c.Verdict = Unknown
		return c
	}
	root := evidence.MerkleRoot(leaves)
	switch v.Item.State {
	case catalog.StateStored, catalog.StateQuarantined, catalog.StateDestroyed:
		sealed := v.Manifest.Sealed()
		c.MerkleRoot, c.Encoding, c.Verdict = &root, sealed.Encoding, verdict(root == sealed.MerkleRoot)
	}
	return c
}

// restCheck looks at what the receipt says of the bytes read back.
func restCheck(v *ItemView) Check {
	c := Check{Place: AtRest, Verdict: Pending}
	switch {
	case v.Receipt != nil:
		c.SHA256, c.Verdict = &v.Receipt.SHA256, Unknown
		if v.ReceiptSigned {
			c.Verdict = verdict(v.Receipt.SHA256 == v.Manifest.SHA256 && v.Receipt.ManifestDigest == v.Item.ManifestDigest)
		}
	case v.Item.Receipt != nil, v.Item.State == catalog.StateQuarantined:
		c.Verdict = Unknown // the reason says what the reading back gave
	}
	if v.BlobMissing {
		c.Verdict = Unequal
	}
	return c
}

func verdict(equal bool) Verdict {
	if equal {
		return Equal
	}
	return Unequal
}
