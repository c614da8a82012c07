package upload

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/agent/internal/policy"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

func TestTheDocksClockIsComparedWithTheServers(t *testing.T) {
	s := newStation(t)
	s.server.behind = time.Hour
	s.run()
	s.until("compared", func() bool { return s.up.ClockOffset() != nil })
	o := s.up.ClockOffset()
	if off := time.Duration(o.Ahead)*time.Microsecond - time.Hour; off.Abs() > time.Duration(o.Uncertainty)*time.Microsecond || o.Uncertainty > time.Second.Microseconds() || o.Exchanges != clockExchanges {
		t.Errorf("%+v is off by %v", o, off)
	}
}

func TestQuestionsAreAnsweredEachForItselfBesideStatements(t *testing.T) {
	s := newStation(t)
	if _, err := New(Options{}).Ask(t.Context(), &protocol.Ask{Camera: &protocol.CameraQuestion{Serial: "CAM-1"}}); !errors.Is(err, ErrAway) {
		t.Fatalf("before there is a session: %v", err)
	}
	s.server.onAsk = func(m *protocol.Ask) protocol.Message {
		if m.GetCamera().GetSerial() == "REFUSED" {
			return &protocol.Error{Code: protocol.CodeInternal, Message: "no"}
		}
		return nil
	}
	s.run()
	s.until("a session", func() bool { return s.up.ClockOffset() != nil })
	type result struct {
		serial string
		a      *protocol.Answer
		err    error
	}
	results := make(chan result)
	const many = 60
	for i := range many {
		serial := "CAM-" + string(rune('A'+i))
		if i%10 == 0 {
			serial = "REFUSED"
		}
		go func() {
			a, err := s.up.Ask(t.Context(), &protocol.Ask{Camera: &protocol.CameraQuestion{Serial: serial}})
			results <- result{serial, a, err}
		}()
	}
	for range many {
		r := <-results
		if r.serial == "REFUSED" {
			var refused *protocol.Error
			if !errors.As(r.err, &refused) || refused.Code != protocol.CodeInternal {
				t.Errorf("a refused question: %v, %v", r.a, r.err)
			}
		} else if r.err != nil || r.a.GetCamera().GetSerial() != r.serial {
			t.Errorf("%s: %v, %v", r.serial, r.a, r.err)
		}
	}
}

func TestAnAnswerToAnotherQuestionEndsTheSession(t *testing.T) {
	s := newStation(t)
	s.server.onAsk = func(m *protocol.Ask) protocol.Message {
		if m.GetCamera() == nil {
			return nil
		}
		return &protocol.Answer{Camera: &protocol.CameraAnswer{Serial: "ANOTHER", Standing: protocol.StandingApproved}}
	}
	s.run()
	s.until("a session", func() bool { return s.up.ClockOffset() != nil })
	if _, err := s.up.Ask(t.Context(), &protocol.Ask{Camera: &protocol.CameraQuestion{Serial: "CAM-1"}}); !errors.Is(err, ErrAway) {
		t.Fatalf("another camera's standing was taken: %v", err)
	}
}

func TestPolicyAndFirmwareAreFetchedAndGoOnAfterABreak(t *testing.T) {
	s := newStation(t)
	image := noise(9, 3*mib+5)
	maker := ed25519.NewKeyFromSeed([]byte(strings.Repeat("m", 32)))
	payload, err := evidence.Encode(&evidence.Firmware{Version: 1, Model: "BC-1", Release: "2.0", Counter: 2, Length: uint64(len(image)), SHA256: evidence.SHA256(image), ReleasedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	s.server.firmware, s.server.cutAt = image, 2*mib
	s.server.policy = &protocol.PolicyAnswer{Digest: bytes.Repeat([]byte{1}, 32), KeepDays: 4, Firmware: []*protocol.FirmwareOffer{{
		Statement: evidence.Sign(evidence.TypeFirmware, payload, "maker", maker).Marshal(), Maker: maker.Public().(ed25519.PublicKey),
	}}}
	keeper, images := policy.Open(s.spool.Dir(), "riverton", slog.New(slog.DiscardHandler)), policy.NewImages(s.spool.Dir())
	s.run(func(o *Options) { o.Policy, o.Images, o.PolicyEvery = keeper, images, 20*time.Millisecond })
	s.until("the image is here", func() bool { return images.Has(evidence.SHA256(image)) })
	file, err := images.Open(evidence.SHA256(image))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got, err := io.ReadAll(file); err != nil || !bytes.Equal(got, image) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if keeper.Current().KeepDays != 4 {
		t.Error("the policy is not in force")
	}
	s.server.set(func() {
		// The reset may overtake blocks that were sent before it.
		if f := s.server.fetches; len(f) != 2 || f[0] != 0 || f[1] == 0 || f[1] > 2*mib {
			t.Errorf("fetched from %v", s.server.fetches)
		}
	})
}

func TestThePolicyIsAskedForWhenTheServerTellsOfAnother(t *testing.T) {
	kept := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		digest := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
		keeper := policy.Open(kept, "riverton", slog.New(slog.DiscardHandler))
		if err := keeper.Take(&protocol.PolicyAnswer{Digest: digest(1)}); err != nil {
			t.Fatal(err)
		}
		u := &Uploader{opt: Options{Policy: keeper}, call: make(chan struct{})}
		tell := func(b byte) {
			u.mu.Lock()
			defer u.mu.Unlock()
			u.direction = &protocol.Direction{PolicyDigest: digest(b)}
			u.ring()
		}
		const pause = time.Hour
		for _, c := range []struct {
			what         string
			before, then byte
			hurries      bool
		}{
			{"the same is told again", 1, 1, false},
			{"another", 1, 2, true},
			{"another that could not be taken, again", 2, 2, false},
			{"the one that is here", 2, 1, false},
		} {
			tell(c.before)
			began := time.Now()
			time.AfterFunc(time.Minute, func() { tell(c.then) })
			time.AfterFunc(time.Minute+time.Millisecond, func() { tell(c.then) })
			if err := u.settle(t.Context(), digest(c.before), pause); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			if hurried := took <= time.Minute+policySpread; hurried != c.hurries || took < time.Minute || took > pause {
				t.Errorf("%s: asks after %v", c.what, took)
			}
		}
	})
}
