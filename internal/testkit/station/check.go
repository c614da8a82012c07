package station

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Row is what became of one recording, from the camera to its receipt.
type Row struct {
	Recording Recording
	Camera    Camera
	Item      *Item              // nil when the server has none
	Manifest  *evidence.Manifest // nil before the offer
	Receipt   *evidence.Receipt  // nil before it is stored; checked
	Problem   error              // why Receipt is nil although the server has one
}

// Rows joins the oracle with the server's items and checks each receipt
// against the keys that the dock has pinned.
func (s *Station) Rows(ctx context.Context) ([]Row, error) {
	rows, _, err := s.joined(ctx)
	return rows, err
}

// joined is Rows with the items that they were made of. The oracle is read first: what
// it says is erased was stored before.
func (s *Station) joined(ctx context.Context) ([]Row, []Item, error) {
	oracle, err := s.Oracle()
	if err != nil {
		return nil, nil, err
	}
	items, err := s.Items(ctx)
	if err != nil {
		return nil, nil, err
	}
	trust, err := s.trust()
	if err != nil {
		return nil, nil, err
	}
	type key struct {
		camera, path string
		hash         evidence.Digest
	}
	found := map[key]*Item{}
	note := func(k key, i *Item) {
		if old := found[k]; old == nil || old.State != "stored" {
			found[k] = i
		}
	}
	for i := range items {
		note(key{items[i].Camera, items[i].Path, items[i].SHA256}, &items[i])
		note(key{items[i].Camera, "", items[i].SHA256}, &items[i])
	}
	var rows []Row
	for _, c := range oracle.Cameras {
		for _, r := range c.Recordings {
			row := Row{Recording: r, Camera: c}
			for _, name := range c.Names() {
				if row.Item == nil {
					row.Item = found[key{name, r.Path, r.SHA256}]
				}
				if row.Item == nil && c.odd(r) {
					row.Item = found[key{name, "", r.SHA256}]
				}
			}
			if row.Item != nil && row.Item.Manifest != nil {
				row.Manifest, row.Receipt, row.Problem = row.Item.statements(trust)
			}
			rows = append(rows, row)
		}
	}
	return rows, items, nil
}

// statements opens an item's manifest and checks its receipt.
func (i *Item) statements(trust proof.Trust) (*evidence.Manifest, *evidence.Receipt, error) {
	var m evidence.Manifest
	if err := evidence.Decode(i.Manifest.Payload, &m); err != nil {
		return nil, nil, err
	}
	if i.Receipt == nil {
		return &m, nil, nil
	}
	want := proof.Want(&m, i.Manifest.Payload)
	want.SameReading = true
	r, err := proof.CheckReceipt(i.Receipt, trust, want)
	return &m, r, err
}

func (s *Station) trust() (proof.Trust, error) {
	var enrolment struct {
		Trust proof.Trust `json:"trust"`
	}
	text, err := os.ReadFile(filepath.Join(s.AgentDir(), "identity", "enrolment.json"))
	if err == nil {
		err = json.Unmarshal(text, &enrolment)
	}
	if err != nil {
		return proof.Trust{}, fmt.Errorf("reading what the dock trusts: %w", err)
	}
	return enrolment.Trust, enrolment.Trust.Check()
}

// Violation is one promise of DESIGN.md section 8 that was found broken.
type Violation struct {
	Promise string // I1 to I5, or I8
	Camera  string // its serial number as the server knows it; "" where it is no camera's
	Text    string
}

// String is the violation in one line.
func (v Violation) String() string { return v.Promise + " " + v.Text }

// Violations is Broken in words.
func (s *Station) Violations(ctx context.Context) (words []string, err error) {
	broken, err := s.Broken(ctx)
	for _, v := range broken {
		words = append(words, v.String())
	}
	return words, err
}

// Broken checks what must hold at every instant (DESIGN.md section 8) and
// returns each promise that is broken:
//
//	I1  a recording is on its camera, or stored with a valid receipt
//	I2  what is stored is what the camera made
//	I3  every receipt verifies
//	I4  nothing was erased before its receipt
//	I5  every checkpoint ever seen is consistent with the log
//	I8  one item per recording
//
// That stored bytes are what their manifest says is fsck's part.
func (s *Station) Broken(ctx context.Context) ([]Violation, error) {
	rows, items, err := s.joined(ctx)
	if err != nil {
		return nil, err
	}
	var broken []Violation
	for _, r := range rows {
		broken = append(broken, r.broken()...)
	}
	broken = append(broken, strangers(rows, items)...)
	more, err := s.checkpoints(ctx)
	return append(broken, more...), err
}

// broken are the promises that are broken for one recording.
func (r *Row) broken() (broken []Violation) {
	name := r.Camera.Serial + " " + r.Recording.Path
	stored := r.Item != nil && r.Item.State == "stored"
	add := func(promise, format string, args ...any) {
		broken = append(broken, Violation{promise, r.Camera.Serial, name + " " + fmt.Sprintf(format, args...)})
	}
	if r.Problem != nil {
		add("I3", "has a receipt that does not verify: %v", r.Problem)
	}
	if r.Recording.Deleted && r.Recording.DeletedBy != "camera" {
		switch {
		case !stored || r.Receipt == nil:
			add("I1", "is neither on its camera nor stored with a receipt")
		case r.Recording.DeletedAt.Before(r.Receipt.StoredAt):
			add("I4", "was erased at %v, stored at %v", r.Recording.DeletedAt, r.Receipt.StoredAt)
		}
	}
	if stored && r.Item.Length != r.Recording.Size {
		add("I2", "has %d bytes in the store, the camera made %d", r.Item.Length, r.Recording.Size)
	}
	return broken
}

// strangers finds items that no camera made, and doubles.
func strangers(rows []Row, items []Item) (broken []Violation) {
	made := map[string]bool{}
	for _, r := range rows {
		for _, name := range r.Camera.Names() {
			made[name+"\x00"+r.Recording.Path+"\x00"+r.Recording.SHA256.String()] = true
			if r.Item != nil {
				made[name+"\x00"+r.Item.Path+"\x00"+r.Recording.SHA256.String()] = true
			}
		}
	}
	seen := map[string]bool{}
	for _, i := range items {
		if i.State != "stored" {
			continue
		}
		key := i.Camera + "\x00" + i.Path + "\x00" + i.SHA256.String()
		if !made[key] {
			broken = append(broken, Violation{"I2", i.Camera, fmt.Sprintf("item %v (%s %s, %d bytes) holds what no camera made", i.ID, i.Camera, i.Path, i.Length)})
		}
		if seen[key] {
			broken = append(broken, Violation{"I8", i.Camera, fmt.Sprintf("%s %s is stored twice", i.Camera, i.Path)})
		}
		seen[key] = true
	}
	return broken
}

// checkpoints compares every checkpoint that the dock ever kept, and the
// server's newest, with the log's tiles.
func (s *Station) checkpoints(ctx context.Context) (broken []Violation, err error) {
	kept, err := os.ReadFile(filepath.Join(s.AgentDir(), "checkpoints"))
	if err != nil {
		return nil, fmt.Errorf("reading the dock's checkpoints: %w", err)
	}
	newest, err := os.ReadFile(filepath.Join(s.Options.IngestDir, "log", "checkpoint"))
	if err != nil {
		return nil, fmt.Errorf("reading the server's checkpoint: %w", err)
	}
	var texts []string
	for text := range strings.SplitAfterSeq(string(kept), "--\n") {
		if text, whole := strings.CutSuffix(text, "--\n"); whole { // else the end of the file, or an entry that a kill cut short
			texts = append(texts, text)
		}
	}
	return s.Checkpoints(ctx, append(texts, string(newest)))
}

// Checkpoints compares checkpoints that somebody has seen with the log's tiles:
// each must be an earlier state of it (I5).
func (s *Station) Checkpoints(ctx context.Context, texts []string) (broken []Violation, err error) {
	trust, err := s.trust()
	if err != nil {
		return nil, err
	}
	verifier, err := tlog.NewVerifier(trust.LogOrigin, ed25519.PublicKey(trust.LogPublicKey))
	if err != nil {
		return nil, err
	}
	tiles := folder(filepath.Join(s.Options.IngestDir, "log"))
	for _, text := range texts {
		c, err := tlog.OpenCheckpoint([]byte(text), trust.LogOrigin, verifier)
		if err != nil {
			broken = append(broken, Violation{"I5", "", fmt.Sprintf("a checkpoint does not verify: %v\n%s", err, text)})
			continue
		}
		root, err := tlog.Root(ctx, tiles, c.Size)
		if err != nil {
			return broken, fmt.Errorf("reading the log up to the checkpoint of size %d: %w", c.Size, err)
		}
		if root != c.Root {
			broken = append(broken, Violation{"I5", "", fmt.Sprintf("the checkpoint of size %d is not of this log", c.Size)})
		}
	}
	return broken, nil
}

// folder reads a log's tiles from files.
type folder string

// Get implements tlog.Tiles.
func (f folder) Get(_ context.Context, path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(f), filepath.FromSlash(path)))
}

// Put implements tlog.Tiles; a check writes nothing.
func (folder) Put(context.Context, string, []byte) error {
	return fmt.Errorf("the log is only read here")
}
