// Package policy keeps what the server wants docks and cameras to follow: the
// agency's camera authority and its trust statement, settings profiles, firmware
// on offer, and how long recordings stay on cameras.
//
// It promises that what Current gives was signed by those who it must be signed by
// (settings and trust by the camera authority, firmware by the maker that the
// server names), that it survives a restart, so that cameras are opened while the
// server is away, and that a broken file counts as none. The answer itself is
// believed: it comes over the session that the enrolment pinned.
//
// Upload brings answers, offload follows them, the daemon joins the two. A Keeper
// is safe for concurrent use; a Policy is not changed once it is given out.
package policy

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// maxFile bounds the kept policy, in bytes.
const maxFile = 4 << 20

// Policy is what is in force. Statements are kept with the bytes that were
// signed, to be handed on to cameras.
type Policy struct {
	Digest    []byte            // of the answer
	Authority ed25519.PublicKey // of the agency's cameras; nil: there is none
	Trust     *evidence.CameraTrust
	TrustText []byte // its envelope
	KeepDays  int
	Settings  []Settings
	Firmware  []Firmware
}

// Settings is a settings profile.
type Settings struct {
	evidence.CameraSettings
	Envelope []byte
}

// Firmware is an image on offer.
type Firmware struct {
	evidence.Firmware
	Envelope []byte
	From, To int // minutes of the day, UTC, between which it may be applied; equal: any time
}

// May reports whether the image may be applied at that moment.
func (f *Firmware) May(at time.Time) bool {
	minute := at.UTC().Hour()*60 + at.UTC().Minute()
	if f.From <= f.To {
		return f.From == f.To || f.From <= minute && minute < f.To
	}
	return minute >= f.From || minute < f.To
}

// SettingsFor gives the profile for a model: its own before the one for every
// model; nil when there is none.
func (p *Policy) SettingsFor(model string) *Settings {
	var every *Settings
	for i := range p.Settings {
		switch p.Settings[i].Model {
		case model:
			return &p.Settings[i]
		case "":
			every = &p.Settings[i]
		}
	}
	return every
}

// FirmwareFor gives the newest image for a model; nil when there is none.
func (p *Policy) FirmwareFor(model string) *Firmware {
	var newest *Firmware
	for i := range p.Firmware {
		if f := &p.Firmware[i]; f.Model == model && (newest == nil || f.Counter > newest.Counter) {
			newest = f
		}
	}
	return newest
}

// Keeper holds the policy in force.
type Keeper struct {
	path   string
	agency evidence.AgencyID

	mu      sync.Mutex // guards all below
	current *Policy
	changed chan struct{} // closed and replaced at each change
}

// Open reads the policy kept in a folder. What cannot be read counts as none: the
// server is asked anyway.
func Open(folder string, agency evidence.AgencyID, log *slog.Logger) *Keeper {
	k := &Keeper{path: filepath.Join(folder, "policy"), agency: agency, current: &Policy{}, changed: make(chan struct{})}
	answer, err := load(k.path)
	if err == nil {
		k.current, err = read(answer, agency)
	}
	if err != nil {
		k.current = &Policy{}
		if !errors.Is(err, fs.ErrNotExist) {
			log.Warn("the kept policy cannot be used, the server is asked for it", "file", k.path, "error", err)
		}
	}
	return k
}

func load(path string) (*upload.PolicyAnswer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%d bytes, at most %d are read", info.Size(), maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	answer := new(upload.Answer)
	if err := proto.Unmarshal(b, answer); err != nil {
		return nil, err
	}
	if answer.GetPolicy() == nil {
		return nil, errors.New("it holds no policy")
	}
	return answer.GetPolicy(), answer.Validate()
}

// Current is the policy in force, never nil.
func (k *Keeper) Current() *Policy {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current
}

// Changed returns a channel that is closed when another policy is in force.
func (k *Keeper) Changed() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed
}

// Take puts an answer in force once it is durable. One that says that nothing
// changed does nothing. On an error the policy before stays in force.
func (k *Keeper) Take(answer *upload.PolicyAnswer) error {
	if string(answer.GetDigest()) == string(k.Current().Digest) {
		return nil
	}
	p, err := read(answer, k.agency)
	if err != nil {
		return fmt.Errorf("the server's policy is not taken, the one before stays in force: %w", err)
	}
	b, err := proto.Marshal(&upload.Answer{Policy: answer})
	if err != nil {
		return fmt.Errorf("keeping the server's policy: %w", err)
	}
	if err := durable.WriteFile(k.path, b, 0o600); err != nil {
		return fmt.Errorf("keeping the server's policy: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current = p
	close(k.changed)
	k.changed = make(chan struct{})
	return nil
}

// read checks an answer and every signature in it.
func read(answer *upload.PolicyAnswer, agency evidence.AgencyID) (*Policy, error) {
	p := &Policy{Digest: answer.GetDigest(), Authority: answer.GetAuthority(), KeepDays: int(answer.GetKeepDays())}
	if len(answer.GetTrust()) > 0 {
		trust := new(evidence.CameraTrust)
		if err := open(answer.GetTrust(), evidence.TypeCameraTrust, p.Authority, trust); err != nil {
			return nil, err
		}
		if trust.Agency != agency {
			return nil, fmt.Errorf("its trust statement is of agency %q, this dock belongs to %q", trust.Agency, agency)
		}
		p.Trust, p.TrustText = trust, answer.GetTrust()
	}
	for _, text := range answer.GetSettings() {
		s := Settings{Envelope: text}
		if err := open(text, evidence.TypeCameraSettings, p.Authority, &s.CameraSettings); err != nil {
			return nil, err
		}
		if s.Agency != agency {
			return nil, fmt.Errorf("its settings are of agency %q, this dock belongs to %q", s.Agency, agency)
		}
		p.Settings = append(p.Settings, s)
	}
	for _, offer := range answer.GetFirmware() {
		f := Firmware{Envelope: offer.GetStatement(), From: int(offer.GetWindowFrom()), To: int(offer.GetWindowTo())}
		if err := open(f.Envelope, evidence.TypeFirmware, offer.GetMaker(), &f.Firmware); err != nil {
			return nil, err
		}
		p.Firmware = append(p.Firmware, f)
	}
	return p, nil
}

func open(text []byte, payloadType string, key ed25519.PublicKey, into evidence.Statement) error {
	envelope, err := evidence.ParseEnvelope(text)
	if err != nil {
		return err
	}
	payload, err := envelope.Verify(payloadType, key)
	if err != nil {
		return err
	}
	return evidence.Decode(payload, into)
}
