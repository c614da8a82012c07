package dashboard

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

// cameraLink is the address of a camera's page. Serials are hostile text:
// browsers take a segment of dots for a step upwards even when it is escaped
// (WHATWG URL section 4.4), and http.ServeMux a lone slash for the end of a
// path, so a serial of nothing but these travels in the query.
func cameraLink(serial string) string {
	if strings.Trim(serial, "./") == "" {
		return "/cameras?" + url.Values{"serial": {serial}}.Encode()
	}
	return "/cameras/" + url.PathEscape(serial)
}

// standingStatus puts how a camera stands into words.
func standingStatus(s catalog.Standing) status {
	switch s {
	case catalog.StandingApproved:
		return status{"ok", "ok", "Key approved"}
	case catalog.StandingPending:
		return status{"warn", "wait", "New key, waits for approval"}
	case catalog.StandingBlocked:
		return status{"bad", "stop", "Key blocked"}
	case catalog.StandingChanged:
		return status{"bad", "stop", "Another key than before"}
	case catalog.StandingForeign:
		return status{"bad", "off", "Another agency’s"}
	case catalog.StandingKeyless:
		return status{"", "ring", "No key"}
	case "":
		return status{"", "wait", "Not listed yet"}
	}
	return status{"", "info", string(s)}
}

// standingText says what a standing means for what the camera holds.
func standingText(s catalog.Standing) string {
	switch s {
	case catalog.StandingApproved:
		return "The camera proved at its last docking that it holds a key that this agency approved."
	case catalog.StandingPending:
		return "The camera proved a key that nobody here has decided about. What it holds is taken in, and nothing is erased from it until somebody does."
	case catalog.StandingBlocked:
		return "The camera proved a key that was blocked here. What it holds is taken in, and nothing is erased from it."
	case catalog.StandingChanged:
		return "This serial number had another key before. It may be a repaired camera, or another one that uses its number. What it holds is taken in, and nothing is erased from it until somebody decides."
	case catalog.StandingForeign:
		return "The camera says that it belongs to another agency. What it holds is taken in, and nothing is erased from it."
	case catalog.StandingKeyless:
		return "The camera has no key, so it is known by its serial number and its bay alone. Each recording is read twice instead."
	case "":
		return "No dock has sent a signed list of this camera yet."
	}
	return ""
}

// missing counts the recordings that a report misses for certain, and those that
// are in quarantine. One that is named for two reasons counts once.
func missing(r *ledger.Report) (lost, held uint64) {
	type name struct {
		path    string
		numbers ledger.Gap
	}
	seen := map[name]bool{}
	for _, f := range r.Missing {
		key := name{f.Path, f.Numbers}
		switch {
		case f.Reason == ledger.Quarantined:
			held++
		case f.Reason == ledger.NeverShown:
			n := f.Numbers.Last - f.Numbers.First
			if n == math.MaxUint64 || lost+n+1 < lost { // a hostile count
				return math.MaxUint64, held
			}
			lost += n + 1
		case !seen[key] || key == name{}:
			lost++
		}
		seen[key] = true
	}
	return lost, held
}

// wholeStatus is a camera's completeness in a word. nil: it is not known at this
// moment.
func wholeStatus(r *ledger.Report) status {
	if r == nil {
		return status{"", "wait", "Being checked"}
	}
	lost, held := missing(r)
	switch {
	case lost > 0:
		return status{"bad", "stop", plural(lost, "recording") + " missing"}
	case held > 0:
		return status{"bad", "shield", countText(held) + " in quarantine"}
	case r.OnWay > 0:
		return status{"busy", "moving", countText(r.OnWay) + " on the way"}
	case len(r.Settled) > 0:
		return status{"ok", "ok", "Complete but for " + countText(len(r.Settled)) + " settled"}
	case r.Shown == 0:
		return status{"", "ring", "Nothing listed yet"}
	}
	return status{"ok", "ok", "Complete"}
}

// findingText names in which way a recording is missing, and says what to do.
func findingText(reason ledger.Reason) (word, todo string) {
	switch reason {
	case ledger.NeverShown:
		return "Counted, never shown", "Ask who had the camera between the dockings named here, and look into its storage card with its maker’s tools before anything is recorded on it. Hold the camera meanwhile."
	case ledger.Vanished:
		return "Vanished between two dockings", "Ask who had the camera in that time. Hold it, and have its storage examined: deleted footage can often be read back until it is overwritten."
	case ledger.Waiting:
		return "Not arrived", "Dock the camera again; it keeps the recording until a receipt is signed. If it was taken out of the bay early, this completes by itself. See on the overview whether the dock that saw it is connected."
	case ledger.RowMissing:
		return "Missing from the catalog", "Tell the server’s operator now: the catalog is to be restored from a backup. The bytes may still be in the vault."
	case ledger.RowChanged:
		return "Changed in the catalog", "Tell the server’s operator now: somebody changed the catalog by other ways than this server. Run sealdock-ingest fsck."
	case ledger.BlobMissing:
		return "Stored bytes are missing", "Tell the server’s operator now: the bytes are to be restored from a backup."
	case ledger.BlobShort:
		return "Stored bytes have another length", "Tell the server’s operator now: the bytes are to be restored from a backup."
	case ledger.ErasedBare:
		return "Erased without a receipt", "Keep the camera and the dock as they are, and hold the camera: a dock may have been tampered with. Have both examined."
	case ledger.Shrank:
		return "Shorter than it was", "Hold the camera and have its storage examined: the end of this recording is not in the store."
	case ledger.Quarantined:
		return "In quarantine", "Its own page says why, and what to do."
	}
	return string(reason), ""
}

// clockWords say how a camera's clock was at a docking.
type clockWords struct {
	Status status
	Note   string // against which clock, and what became of it
	Raw    string // as the camera's clock read, where nothing was measured
}

// rightClock is the error below which people need not know of it.
const rightClock = time.Second

// wrongClock is the error above which it is marked.
const wrongClock = time.Minute

// clockOf puts a docking's measurement of the camera's clock into words. Both
// measurements are summed where the dock's clock was compared with the server's.
func clockOf(d *catalog.Docking) clockWords {
	if d.Clock == nil {
		return clockWords{Status: status{"", "ring", "not measured"}, Raw: d.CameraRaw}
	}
	ahead, uncertain := span(d.Clock)
	against := "compared with the dock’s clock"
	if d.DockClock != nil {
		more, doubt := span(d.DockClock)
		ahead, uncertain, against = ahead+more, uncertain+doubt, "compared with this server’s clock"
	}
	w := clockWords{Status: status{"ok", "ok", "right, ±\u00a0" + aboutText(uncertain)}}
	if ahead.Abs() > max(rightClock, uncertain) {
		way := "ahead"
		if ahead < 0 {
			way = "behind"
		}
		w.Status = status{"", "wait", fmt.Sprintf("%s %s, ±\u00a0%s", spanText(ahead.Abs()), way, aboutText(uncertain))}
		if ahead.Abs() > wrongClock {
			w.Status.Tone, w.Status.Shape = "warn", "warn"
		}
	}
	w.Note = against
	switch {
	case d.ClockSet != nil:
		left, doubt := span(d.ClockSet)
		w.Note += fmt.Sprintf("; then set by the dock, to within %s", aboutText(left.Abs()+doubt))
	case w.Status.Tone != "ok":
		w.Note += "; the dock could not set it"
	}
	return w
}

// span is an offset and its uncertainty. Offsets were bounded when they came.
func span(o *evidence.Offset) (ahead, uncertain time.Duration) {
	return time.Duration(o.Ahead) * time.Microsecond, time.Duration(o.Uncertainty) * time.Microsecond
}
