package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The purposes of an agency's key under the root: the first generation's file is
// of version 1, which names neither number nor key.
const (
	magic           = "sealdock/agency-key/v1\n"
	generationMagic = "sealdock/agency-key/v2\n"
	idLabel         = "sealdock/agency-key-id/v1\n"
)

const (
	firstGeneration = 1
	maxGeneration   = 9999
)

// ID names an agency's key pair: 32 hex digits, the first 16 bytes of the SHA-256
// over "sealdock/agency-key-id/v1", a line break and the public key as it is sent
// to docks. It finds a key and proves nothing.
type ID string

func idOf(public *seal.PublicKey) (ID, error) {
	b, err := public.MarshalBinary()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append([]byte(idLabel), b...))
	return ID(hex.EncodeToString(sum[:16])), nil
}

// Generation is one key pair of an agency. The one with the highest number is
// what recordings' keys are wrapped to; the older ones open what was wrapped to
// them.
type Generation struct {
	Agency evidence.AgencyID `json:"agency"`
	Number int               `json:"number"` // from 1
	ID     ID                `json:"key"`
	MadeAt time.Time         `json:"made_at"` // zero for the first: its file does not tell
}

// pair is a generation that was opened. Never changed.
type pair struct {
	Generation
	name    string // of its file
	private *seal.PrivateKey
	public  *seal.PublicKey
}

func newPair(g Generation, private *seal.PrivateKey) (*pair, error) {
	id, err := idOf(private.Public())
	if err != nil {
		return nil, err
	}
	if g.ID == "" {
		g.ID = id
	}
	if g.ID != id {
		return nil, fmt.Errorf("it holds key %s, and says %s: the file was changed", id, g.ID)
	}
	name := "agency-" + string(g.Agency) + ".key"
	if g.Number > firstGeneration {
		name = fmt.Sprintf("agency-%s.%d-%s.key", g.Agency, g.Number, g.ID)
	}
	return &pair{g, name, private, private.Public()}, nil
}

// generate makes a key pair, in memory.
func generate(agency evidence.AgencyID, number int, at time.Time) (*pair, error) {
	private, err := seal.GeneratePrivateKey()
	if err == nil {
		var p *pair
		p, err = newPair(Generation{Agency: agency, Number: number, MadeAt: at.UTC().Truncate(time.Second)}, private)
		if err == nil {
			return p, nil
		}
	}
	return nil, fmt.Errorf("making a key of agency %s: %w", agency, err)
}

// agencyOf reads the name of a key file; "" is the name of another file.
func agencyOf(name string) evidence.AgencyID {
	rest, ok := strings.CutPrefix(name, "agency-")
	rest, ok2 := strings.CutSuffix(rest, ".key")
	agency, _, _ := strings.Cut(rest, ".")
	if !ok || !ok2 || evidence.CheckName("agency", agency) != nil {
		return ""
	}
	return evidence.AgencyID(agency)
}

// encode is the pair's file: magic line, from the second generation on what it is
// as one line of JSON, and the private key under the root, bound to both.
func (p *pair) encode(root root) ([]byte, error) {
	plain, err := p.private.MarshalBinary()
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	purpose, context, head := magic, []byte(p.Agency), []byte(magic)
	if p.Number > firstGeneration {
		if context, err = json.Marshal(p.Generation); err != nil {
			return nil, err
		}
		purpose = generationMagic
		head = append(append([]byte(generationMagic), context...), '\n')
	}
	wrapped, err := root.wrap(purpose, context, plain)
	if err != nil {
		return nil, err
	}
	return append(head, wrapped...), nil
}

// write makes the pair durable. An existing file is never replaced: the names of
// two pairs differ.
func (p *pair) write(dir string, root root) error {
	file, err := p.encode(root)
	if err != nil {
		return fmt.Errorf("encrypting the key of agency %s: %w", p.Agency, err)
	}
	if err := durable.WriteFile(filepath.Join(dir, p.name), file, 0o600); err != nil {
		return fmt.Errorf("writing the key of agency %s: %w", p.Agency, err)
	}
	return nil
}

// readPair opens a key file.
func readPair(dir, name string, root root) (*pair, error) {
	path := filepath.Join(dir, name)
	p, err := func() (*pair, error) {
		file, err := readSmall(path)
		if err != nil {
			return nil, err
		}
		return decodePair(file, agencyOf(name), root)
	}()
	if err == nil && p.name != name {
		err = fmt.Errorf("its name should be %s: it was put in another file's place", p.name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading an agency's key from %s: %w", path, err)
	}
	return p, nil
}

func decodePair(file []byte, agency evidence.AgencyID, root root) (*pair, error) {
	g, purpose, context, wrapped, err := readGeneration(file, agency)
	if err != nil {
		return nil, err
	}
	plain, err := root.unwrap(purpose, context, wrapped)
	if err != nil {
		return nil, errors.New("it does not open with this root key: one of the two files is damaged or from another server")
	}
	defer clear(plain)
	private, err := seal.ParsePrivateKey(plain)
	if err != nil {
		return nil, err
	}
	return newPair(g, private)
}

// readGeneration takes a key file apart, and believes none of it.
func readGeneration(file []byte, agency evidence.AgencyID) (g Generation, purpose string, context, wrapped []byte, err error) {
	if wrapped, ok := bytes.CutPrefix(file, []byte(magic)); ok {
		return Generation{Agency: agency, Number: firstGeneration}, magic, []byte(agency), wrapped, nil
	}
	rest, ok := bytes.CutPrefix(file, []byte(generationMagic))
	context, wrapped, ok2 := bytes.Cut(rest, []byte("\n"))
	if !ok || !ok2 || len(context) > maxHeaderLine {
		return g, "", nil, nil, errors.New("it is not an agency key file of a known version")
	}
	decoder := json.NewDecoder(bytes.NewReader(context))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&g); err != nil || decoder.More() {
		return g, "", nil, nil, errors.New("its second line cannot be read: the file is damaged")
	}
	if g.Agency != agency || g.Number <= firstGeneration || g.Number > maxGeneration || CheckID(string(g.ID)) != nil {
		return g, "", nil, nil, fmt.Errorf("it is of agency %q, generation %s: it was put in another file's place, or is damaged", g.Agency, strconv.Itoa(g.Number))
	}
	return g, generationMagic, context, wrapped, nil
}

// CheckID says why a text cannot name a key, or returns nil.
func CheckID(text string) error {
	if b, err := hex.DecodeString(text); err != nil || len(b) != 16 || strings.ToLower(text) != text {
		return fmt.Errorf("%.40q does not name a key: 32 digits of 0-9 and a-f do", text)
	}
	return nil
}
