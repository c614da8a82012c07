package station

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/footage"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Oracle is the simulator's private book: what its cameras really hold.
type Oracle struct {
	Cameras []Camera `json:"cameras"`
}

// Camera is one camera's page in the book.
type Camera struct {
	Serial     string      `json:"serial"`
	Bay        string      `json:"busid"`
	Plugged    bool        `json:"plugged"`
	Claims     []string    `json:"claims"` // serial numbers of others that it gave
	Recordings []Recording `json:"recordings"`
}

// Recording is what a camera made, whether it is still there or not.
type Recording struct {
	Path        string             `json:"path"`
	Size        int64              `json:"size"`
	SHA256      evidence.Digest    `json:"sha256"`
	Kind        evidence.Kind      `json:"kind"`
	Deleted     bool               `json:"deleted"`
	DeletedAt   time.Time          `json:"deleted_at,omitzero"`
	DeletedBy   string             `json:"deleted_by,omitempty"`
	ContentFile string             `json:"content_file,omitempty"`
	Synthetic   *footage.Synthetic `json:"synthetic,omitempty"`
	RawPath     [][]byte           `json:"raw_path,omitempty"` // where Path had to change the names
}

// Names are the serial numbers under which a dock may know the camera.
func (c *Camera) Names() []string { return append([]string{c.Serial}, c.Claims...) }

// odd says whether a recording's path is one that a dock may have to change:
// not printable, not unique on its camera, very long, or with the sign that starts
// an escape. Such a recording is recognised by its bytes.
func (c *Camera) odd(r Recording) bool {
	same := 0
	for _, other := range c.Recordings {
		if other.Path == r.Path {
			same++
		}
	}
	return r.RawPath != nil || same > 1 || len(r.Path) > 512 || strings.Contains(r.Path, "%")
}

// Oracle reads the book as it stands.
func (s *Station) Oracle() (*Oracle, error) {
	text, err := os.ReadFile(s.oraclePath())
	if err != nil {
		return nil, fmt.Errorf("reading the oracle: %w", err)
	}
	var o Oracle
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("reading the oracle: %w", err)
	}
	return &o, nil
}

// Left counts the recordings that are still on a camera.
func (o *Oracle) Left() (recordings int, bytes int64) {
	for _, c := range o.Cameras {
		for _, r := range c.Recordings {
			if !r.Deleted {
				recordings++
				bytes += r.Size
			}
		}
	}
	return recordings, bytes
}

// MerkleRoot computes the RFC 6962 root of the recording's leaves from its
// content, independently of the product.
func (r *Recording) MerkleRoot() (evidence.Digest, error) {
	var content io.Reader
	switch {
	case r.Synthetic != nil:
		content = io.NewSectionReader(r.Synthetic, 0, r.Size)
	default:
		f, err := os.Open(r.ContentFile)
		if err != nil {
			return evidence.Digest{}, err
		}
		defer f.Close()
		content = f
	}
	var leaves []evidence.Digest
	for buf := make([]byte, evidence.LeafSize); ; {
		n, err := io.ReadFull(content, buf)
		if n > 0 || len(leaves) == 0 {
			leaves = append(leaves, evidence.LeafHash(buf[:n]))
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return evidence.MerkleRoot(leaves), nil
		} else if err != nil {
			return evidence.Digest{}, err
		}
	}
}
