package tlog

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// maxCheckpoint bounds a signed checkpoint in bytes: room for dozens of cosignatures.
const maxCheckpoint = 16 << 10

// ErrCheckpoint means that a checkpoint is malformed, of another log or not signed
// by the log.
var ErrCheckpoint = errors.New("the checkpoint is not one of this log")

// Checkpoint is the head of a log: its name, its size in entries and its root.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   Hash
}

// SignCheckpoint returns the signed note (C2SP tlog-checkpoint, signed-note).
func SignCheckpoint(c Checkpoint, s note.Signer) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("signing a checkpoint: %w", err)
	}
	text, err := note.Sign(&note.Note{Text: c.text()}, s)
	if err != nil {
		return nil, fmt.Errorf("signing the checkpoint of %d entries: %w", c.Size, err)
	}
	return text, nil
}

// OpenCheckpoint verifies that text is a checkpoint of the log named origin with
// a signature that v accepts. Signatures of others (witnesses) may stand beside
// it and are not looked at. The error is [ErrCheckpoint].
func OpenCheckpoint(text []byte, origin string, v note.Verifier) (Checkpoint, error) {
	if len(text) > maxCheckpoint {
		return Checkpoint{}, fmt.Errorf("opening a checkpoint of %d bytes: too long: %w", len(text), ErrCheckpoint)
	}
	n, err := note.Open(text, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("opening a checkpoint: %w: %w", ErrCheckpoint, err)
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("opening a checkpoint: %w: %w", ErrCheckpoint, err)
	}
	if c.Origin != origin {
		return Checkpoint{}, fmt.Errorf("opening a checkpoint: it is of log %q, want %q: %w", c.Origin, origin, ErrCheckpoint)
	}
	return c, nil
}

// text is the signed part of a checkpoint.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

func (c Checkpoint) check() error {
	switch {
	case c.Origin == "" || len(c.Origin) > 256 || !utf8.ValidString(c.Origin) || strings.ContainsFunc(c.Origin, unprintable):
		return fmt.Errorf("the log name %q is empty, too long, or has spaces or control characters", c.Origin)
	case c.Size < 0 || c.Size > MaxSize:
		return fmt.Errorf("size %d is outside 0 to %d", c.Size, int64(MaxSize))
	case c.Size == 0 && c.Root != emptyRoot():
		return errors.New("the root of an empty log must be the hash of nothing")
	}
	return nil
}

func unprintable(r rune) bool {
	return r == '+' || unicode.IsSpace(r) || !unicode.IsPrint(r)
}

// parseCheckpoint reads what [Checkpoint.text] writes, and nothing else:
// extension lines are not made by this log and not accepted.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, errors.New("want three lines: log name, size, root")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("size: %w", err)
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(Hash{}) {
		return Checkpoint{}, fmt.Errorf("root %q is not 32 bytes of base64", lines[2])
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: Hash(root)}
	if err := c.check(); err != nil {
		return Checkpoint{}, err
	}
	if c.text() != text {
		return Checkpoint{}, errors.New("size or root are not written in the one allowed way")
	}
	return c, nil
}

// signer is an Ed25519 note signer that needs no encoded private key.
type signer struct {
	verifier note.Verifier
	key      ed25519.PrivateKey
}

// NewSigner returns a signer of checkpoints under the given name, which should be
// the log's origin.
func NewSigner(name string, key ed25519.PrivateKey) (note.Signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("making a checkpoint signer: the private key has %d bytes, want %d", len(key), ed25519.PrivateKeySize)
	}
	v, err := NewVerifier(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return &signer{v, key}, nil
}

func (s *signer) Name() string    { return s.verifier.Name() }
func (s *signer) KeyHash() uint32 { return s.verifier.KeyHash() }
func (s *signer) Sign(text []byte) ([]byte, error) {
	return ed25519.Sign(s.key, text), nil
}

// NewVerifier returns the counterpart of [NewSigner].
func NewVerifier(name string, pub ed25519.PublicKey) (note.Verifier, error) {
	text, err := VerifierKey(name, pub)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("making a checkpoint verifier for %q: %w", name, err)
	}
	return v, nil
}

// VerifierKey returns the public key as text (C2SP signed-note), to be handed to
// witnesses and to other programs that follow the log.
func VerifierKey(name string, pub ed25519.PublicKey) (string, error) {
	text, err := note.NewEd25519VerifierKey(name, pub)
	if err != nil {
		return "", fmt.Errorf("encoding the checkpoint key of %q: %w", name, err)
	}
	return text, nil
}
