package custody_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/custody"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/proto/evidence"
)

var errCrash = errors.New("crash")

// failOnce fails the nth time that a step is before or after its effect.
func failOnce(step custody.Step, after bool, nth int) func(custody.Step, bool) error {
	return func(s custody.Step, a bool) error {
		if s != step || a != after {
			return nil
		}
		if nth--; nth == 0 {
			return errCrash
		}
		return nil
	}
}

// TestEveryCrashEndsInOneReceipt fails each step before and after its effect,
// then comes back: on the running server or after a restart, from the same
// dock, or with another reading of the recording from another dock.
func TestEveryCrashEndsInOneReceipt(t *testing.T) {
	steps := []custody.Step{
		custody.StepOffered, custody.StepBegun, custody.StepWritten, custody.StepSynced, custody.StepSealed,
		custody.StepReadBack, custody.StepStored, custody.StepLogged, custody.StepReceipted,
	}
	retries := map[string]func(g *rig, r *receivetest.Recording) (receive.Peer, *receivetest.Recording){
		"same offer": func(g *rig, r *receivetest.Recording) (receive.Peer, *receivetest.Recording) {
			g.peer.Session++
			return g.peer, r
		},
		"next attempt": func(g *rig, r *receivetest.Recording) (receive.Peer, *receivetest.Recording) {
			g.peer.Session++
			return g.peer, g.dock.Again(g.t, r, false)
		},
		"new id from another dock": func(g *rig, r *receivetest.Recording) (receive.Peer, *receivetest.Recording) {
			dock, peer := g.enrol("back-door")
			return peer, dock.Again(g.t, r, true)
		},
	}
	for _, step := range steps {
		for _, after := range []bool{false, true} {
			for name, retry := range retries {
				for _, restart := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/after=%t/%s/restart=%t", step, after, name, restart), func(t *testing.T) {
						crashAndRetry(t, step, after, retry, restart)
					})
				}
			}
		}
	}
}

func crashAndRetry(t *testing.T, step custody.Step, after bool, retry func(*rig, *receivetest.Recording) (receive.Peer, *receivetest.Recording), restart bool) {
	t.Parallel()
	g := newRig(t)
	first := g.dock.Record(t, "DCIM/A.MP4", bytesOf("footage", 1<<20+77))
	nth := 1
	if step == custody.StepWritten || step == custody.StepSynced {
		nth = 2 // in the middle
	}
	g.fail = failOnce(step, after, nth)
	if receipt, err := g.deliver(g.peer, first); !errors.Is(err, errCrash) {
		t.Fatalf("the crash did not come: receipt %d bytes, %v", len(receipt), err)
	}
	g.fail = nil
	if restart {
		g.crash()
		g.open()
	}
	peer, second := retry(g, first)
	receipt, err := g.deliver(peer, second)
	if err != nil {
		t.Fatalf("the retry failed: %v", err)
	}
	got := g.checkStored(second, receipt)
	stored := g.itemsIn(catalog.StateStored)
	if len(stored) != 1 || len(g.itemsIn(catalog.StateReceiving)) != 0 {
		t.Errorf("%d items are stored and %d receiving, want 1 and 0", len(stored), len(g.itemsIn(catalog.StateReceiving)))
	}
	if n := g.events(evidence.EventEvidenceStored, ""); n != 1 {
		t.Errorf("%d events say that something was stored, want 1", n)
	}
	if n := g.events(evidence.EventManifestReceived, evidence.ItemObject(got.Evidence)); n < 1 {
		t.Error("no event tells of the manifest")
	}
	// The same again gives the same receipt.
	again, err := g.deliver(peer, second)
	if err != nil || string(again) != string(receipt) {
		t.Errorf("offering once more gave another answer: %v", err)
	}
	g.sound()
}

func TestAfterARestartMissingReceiptsAreMadeWithoutBeingAsked(t *testing.T) {
	g := newRig(t)
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 1000))
	g.fail = failOnce(custody.StepLogged, false, 1)
	if _, err := g.deliver(g.peer, r); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	g.fail = nil
	g.crash()
	g.open()
	ran := false
	g.fail = func(s custody.Step, after bool) error { ran = ran || s == custody.StepStored; return nil }
	receipt, err := g.deliver(g.peer, r) // waits for the committer, which recovers first
	if err != nil {
		t.Fatal(err)
	}
	g.checkStored(r, receipt)
	waiting, err := g.db.ItemsAwaitingReceipt(t.Context(), 10)
	if err != nil || len(waiting) != 0 {
		t.Fatalf("%d items wait for a receipt: %v", len(waiting), err)
	}
}
