package volume

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"github.com/sealdock/sealdock/agent/internal/camera"
	ptp "github.com/sealdock/sealdock/proto/camera"
)

const (
	maxSafePath = 2048 // bytes
	maxText     = 128  // bytes of an identity text
)

// names gives every file of one listing a safe path of its own. The same card gives
// the same paths each time: they are made of the raw paths alone.
type names struct{ taken map[string]bool }

func newNames() *names { return &names{map[string]bool{}} }

// unique returns folder/name made safe, with a digest of the raw path behind it
// where it would be another's or is too long.
func (n *names) unique(folder, name, raw string) (result string, changed bool) {
	safe := camera.SafeName(ptp.NewText(name))
	full := path.Join(folder, safe)
	changed = strings.HasSuffix(safe, "…") // cut: another name may have been cut to the same
	if len(full) > maxSafePath {
		full, changed = path.Join("too deep", safe), true
	}
	if changed || n.taken[full] {
		sum := sha256.Sum256([]byte(raw))
		full, changed = fmt.Sprintf("%s (%s)", full, hex.EncodeToString(sum[:8])), true
	}
	for n.taken[full] { // a card that guessed the digest
		full += "'"
	}
	n.taken[full] = true
	return full, changed
}

// plain makes a text of a USB descriptor safe to show, and short.
func plain(text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	safe := camera.SafeName(ptp.NewText(text))
	if len(safe) > maxText {
		safe = strings.ToValidUTF8(safe[:maxText], "")
	}
	return safe
}
