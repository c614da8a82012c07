package dashboard

import (
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestEveryAlertAndFindingHasWords(t *testing.T) {
	codes := []catalog.AlertCode{catalog.AlertVanished, catalog.AlertGap, catalog.AlertCountedBack, catalog.AlertNumberReused, catalog.AlertShrank, catalog.AlertErasedBare,
		catalog.AlertKeyMissing, catalog.AlertBlocked, catalog.AlertDockingReused}
	for _, f := range []evidence.FindingCode{evidence.FoundTwin, evidence.FoundNoSerial, evidence.FoundForeign, evidence.FoundKeyChanged, evidence.FoundKeyFailed, evidence.FoundKeyUnknown,
		evidence.FoundListingFailed, evidence.FoundIncomplete, evidence.FoundClockWrong, evidence.FoundHashDiffers, evidence.FoundOddDescriptors, evidence.FoundFirmware, evidence.FoundStaleJournal} {
		codes = append(codes, catalog.AlertCode(f))
	}
	titles := map[string]bool{}
	for _, code := range codes {
		title, todo := alertText(code)
		if title == string(code) || todo == "" || titles[title] {
			t.Errorf("%s is told as %q, %q", code, title, todo)
		}
		titles[title] = true
	}
	if title, todo := alertText("of_tomorrow"); title != "of_tomorrow" || todo != "" {
		t.Errorf("an unknown code is told as %q, %q", title, todo)
	}
	for _, r := range []ledger.Reason{ledger.NeverShown, ledger.Vanished, ledger.Waiting, ledger.RowMissing, ledger.RowChanged, ledger.BlobMissing, ledger.BlobShort, ledger.ErasedBare, ledger.Shrank, ledger.Quarantined} {
		if word, todo := findingText(r); word == string(r) || todo == "" {
			t.Errorf("%s is told as %q, %q", r, word, todo)
		}
	}
	for _, s := range []catalog.Standing{"", catalog.StandingApproved, catalog.StandingPending, catalog.StandingBlocked, catalog.StandingChanged, catalog.StandingForeign, catalog.StandingKeyless} {
		if standingStatus(s).Word == string(s) || standingText(s) == "" {
			t.Errorf("standing %q has no words", s)
		}
	}
}

func TestARecordingThatIsMissingCountsOnce(t *testing.T) {
	one := ledger.Finding{Reason: ledger.Waiting, Certain: true, Path: "a", Numbers: ledger.Gap{First: 1, Last: 1}}
	shrunk := one
	shrunk.Reason = ledger.Shrank
	held := ledger.Finding{Reason: ledger.Quarantined, Certain: true, Path: "b"}
	gap := ledger.Finding{Reason: ledger.NeverShown, Certain: true, Numbers: ledger.Gap{First: 5, Last: 7}}
	nameless := ledger.Finding{Reason: ledger.RowMissing, Certain: true}
	for want, r := range map[string]*ledger.Report{
		"Being checked": nil, "Nothing listed yet": {}, "Complete": {Shown: 3, Stored: 3}, "2 on the way": {Shown: 3, OnWay: 2},
		"1 recording missing":  {Shown: 3, Missing: []ledger.Finding{one, shrunk}},
		"4 recordings missing": {Shown: 3, Missing: []ledger.Finding{one, gap, held}},
		"2 recordings missing": {Missing: []ledger.Finding{nameless, nameless}},
		"1 in quarantine":      {Shown: 1, Missing: []ledger.Finding{held}},
		countText(uint64(math.MaxUint64)) + " recordings missing": {Shown: 1, Missing: []ledger.Finding{{Reason: ledger.NeverShown, Numbers: ledger.Gap{First: 0, Last: math.MaxUint64}}}},
	} {
		if got := wholeStatus(r).Word; got != want {
			t.Errorf("%+v is %q, want %q", r, got, want)
		}
	}
}

func TestAClockIsToldWithItsUncertainty(t *testing.T) {
	offset := func(ahead, uncertain time.Duration) *evidence.Offset {
		return &evidence.Offset{Ahead: ahead.Microseconds(), Uncertainty: uncertain.Microseconds(), Exchanges: 8}
	}
	for _, c := range []struct {
		docking          catalog.Docking
		word, tone, note string
	}{
		{catalog.Docking{CameraRaw: "x"}, "not measured", "", ""},
		{catalog.Docking{Clock: offset(300*time.Millisecond, 40*time.Millisecond)}, "right, ±\u00a040 ms", "ok", "compared with the dock’s clock"},
		{catalog.Docking{Clock: offset(-77*time.Minute, 200*time.Millisecond), DockClock: offset(time.Second, 100*time.Millisecond), ClockSet: offset(time.Millisecond, 30*time.Millisecond)},
			"1 h 17 min behind, ±\u00a0300 ms", "warn", "compared with this server’s clock; then set by the dock, to within 31 ms"},
		{catalog.Docking{Clock: offset(5*time.Second, time.Millisecond)}, "5.0 s ahead, ±\u00a01 ms", "", "compared with the dock’s clock; the dock could not set it"},
		{catalog.Docking{Clock: offset(5*time.Second, 20*time.Second)}, "right, ±\u00a020.0 s", "ok", "compared with the dock’s clock"},
	} {
		got := clockOf(&c.docking)
		if got.Status.Word != c.word || got.Status.Tone != c.tone || got.Note != c.note {
			t.Errorf("%+v, want %q, %q, %q", got, c.word, c.tone, c.note)
		}
	}
}

func FuzzCameraLink(f *testing.F) {
	for _, s := range []string{"SD-1", ".", "..", "", "/", "//x", `\x`, "%2e", "a?b", "a#b", "a;b", "\x00", "\xff", "ü"} {
		f.Add(s)
	}
	base, err := url.Parse("https://sealdock.example/alerts")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, serial string) {
		link := cameraLink(serial)
		u, err := base.Parse(link)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || u.Fragment != "" {
			t.Fatalf("%q links to %q: %v, %v", serial, link, u, err)
		}
		got := u.Query().Get("serial")
		if !u.Query().Has("serial") {
			got = strings.TrimPrefix(u.Path, "/cameras/")
		}
		if got != serial {
			t.Errorf("%q comes back as %q from %q", serial, got, link)
		}
		if done := doneLink(link, "hold"); !strings.HasPrefix(done, "/cameras") || !strings.Contains(done, "done=hold") {
			t.Errorf("%q leads to %q", link, done)
		}
	})
}
