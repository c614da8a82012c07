package dashboard

import (
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

type itemView struct {
	base
	Waiting                 []approvalRow // acts on it that take a second person
	Item                    itemRow
	Recorded                *recordedView // nil: only the camera's clock tells
	Banner                  *banner
	Playable                bool
	NoPlay, NoPlayWhy       string
	CanReceipt, CanDownload bool
	CanPackage, CanClip     bool
	Clip                    clipForm
	Derived                 bool
	Marks                   []markView
	Verdict                 status
	Hashes                  []hashView
	Events                  []eventView
	MoreEvents              bool
	Facts                   []factGroup
	Cases                   *itemCases // nil: the person sees no cases
	Frozen                  *frozenView
	Seers                   *seersView // nil: the person may not know who sees it
	Said                    *saidView
	Around                  *relatedView // nil: its time is not known
	Done                    string
}

// banner stands above an item that is not simply stored.
type banner struct {
	status
	Text string
}

// recordedView is when a recording began, by the server's clock.
type recordedView struct {
	At    time.Time
	About string // how wrong that may be, either way
}

type markView struct {
	Seconds   float64
	At, Label string
}

func (d *Dashboard) item(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil {
		d.fail(w, r, actor, catalog.ErrNotFound)
		return
	}
	d.itemPage(w, r, actor, id, http.StatusOK, itemTyped{})
}

// itemTyped is what was typed into the forms of an item's page, when it was refused.
type itemTyped struct {
	Clip clipForm
	Give giveTyped
	Said *saidForm
}

// itemPage shows an item, with what was typed into its forms.
func (d *Dashboard) itemPage(w http.ResponseWriter, r *http.Request, actor *auth.Actor, id evidence.EvidenceID, code int, typed itemTyped) {
	v, err := d.Reading.View(r.Context(), actor, id)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	item := v.Item
	here := item.State == catalog.StateStored && !v.BlobMissing
	page := itemView{
		base: d.roomBase(r.Context(), actor, baseName(item.Path), "evidence", "player.js", "package.js"),
		Item: rows([]catalog.Item{*item})[0], Banner: d.bannerOf(v),
		Playable:    here && item.Length > 0 && videoType(item.Path) != "" && auth.May(actor, auth.PlayItem, auth.ItemObject(item)),
		CanReceipt:  item.Receipt != nil && auth.May(actor, auth.OpenReceipt, auth.ItemObject(item)),
		CanDownload: here && auth.May(actor, auth.DownloadItem, auth.ItemObject(item)),
		CanPackage:  here && item.Receipt != nil && auth.May(actor, auth.DownloadItem, auth.ItemObject(item)),
		Clip:        typed.Clip, Derived: item.Kind == evidence.KindDerivative,
		Hashes: hashes(v), MoreEvents: v.MoreEvents, Facts: d.facts(v),
	}
	page.Verdict, page.Cases, page.Seers = chainVerdict(v), d.casesOf(r, actor, id), d.seersOf(r, actor, id, typed.Give)
	if page.Said, err = d.saidOf(r, actor, v, typed.Said); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	if page.Around, err = d.relatedOf(r, actor, item); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	if r.URL.Query().Get("done") == "said" {
		page.Done = "Kept. What stood before is in the history."
	}
	if page.Frozen, err = d.frozenOf(r.Context(), actor, item); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	page.CanClip = page.CanPackage && page.Playable && d.Derive != nil && item.Kind == evidence.KindVideo && item.Encoding == evidence.EncodedAsIs
	if at := v.Times.Began; at != nil {
		page.Recorded = &recordedView{at.At, aboutText(at.Uncertainty)}
	}
	if item.State == catalog.StateQuarantined {
		page.Verdict = status{"bad", "stop", "Not proven"}
	}
	page.NoPlay, page.NoPlayWhy = noPlay(item)
	if v.Manifest != nil {
		page.Marks = marks(v.Manifest.Claims.Marks)
	}
	for _, row := range v.Events {
		page.Events = append(page.Events, eventOf(row))
	}
	waiting, err := d.approvals(r, actor).About(r.Context(), evidence.ItemObject(id))
	if err == nil {
		page.Waiting, err = d.approvalRows(r.Context(), waiting)
	}
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	d.show(w, r, code, "item", page)
}

func noPlay(item *catalog.Item) (heading, why string) {
	switch {
	case item.Length == 0:
		return "An empty recording", "The camera listed it with no content, and so it was stored: nothing is left out."
	case item.Kind == evidence.KindMetadata:
		return "A sidecar", "What the camera wrote beside a recording. Download it to read it; it is never shown as a page, since its content comes from the camera."
	case item.Kind == evidence.KindVideo:
		return "No player for this format", "Browsers do not play this kind of file. Download the original to open it elsewhere; its hash stays the same."
	}
	return "Not a video", "Download the original to look at it; it is never shown as a page, since its content comes from the camera."
}

func (d *Dashboard) bannerOf(v *reading.ItemView) *banner {
	item := v.Item
	switch item.State {
	case catalog.StateStored:
		if v.BlobMissing {
			return &banner{status{"bad", "stop", "The stored bytes are missing"},
				"The catalog says that this recording was stored and proven, and the evidence store no longer has it. Tell the server’s operator now. The custody record below is complete."}
		}
		return nil
	case catalog.StateReceiving:
		return &banner{status{"busy", "moving", "On its way"},
			fmt.Sprintf("At least %d of %d parts are verified and durable here. It can be played once it was read back from the disk; the camera keeps the recording until then.", item.DurableSegments, evidence.LeafCount(item.SealedLength()))}
	case catalog.StateQuarantined:
		why, todo := quarantineText(item.Reason)
		return &banner{status{"bad", "stop", "In quarantine"}, why + " " + todo}
	case catalog.StateDestroyed:
		return &banner{status{"warn", "warn", "Destroyed"},
			"Nobody can open this recording any more: two administrators had its key destroyed. The custody record below says who, when and why; receipt and hashes stay, and show what it was."}
	case catalog.StateSuperseded:
		text := "It was never finished, and another item took its recording over."
		if v.TakenOver != nil {
			text = "It was never finished, and item " + shortID(v.TakenOver.ID) + " has its recording; the link is among the facts."
		}
		return &banner{status{"warn", "warn", "Superseded"}, text}
	}
	return nil
}

// marks turns the claims of a sidecar into points of the player.
func marks(claimed []evidence.Mark) []markView {
	var all []markView
	for _, m := range claimed {
		if m.AtSeconds < 0 || m.AtSeconds > 7*24*3600 || m.AtSeconds != m.AtSeconds {
			continue
		}
		at := time.Duration(m.AtSeconds * float64(time.Second)).Round(time.Second)
		text := fmt.Sprintf("%d:%02d", int(at.Minutes()), int(at.Seconds())%60)
		if at >= time.Hour {
			text = fmt.Sprintf("%d:%02d:%02d", int(at.Hours()), int(at.Minutes())%60, int(at.Seconds())%60)
		}
		all = append(all, markView{Seconds: m.AtSeconds, At: text, Label: m.Label})
	}
	return all
}

// videoType returns the media type under which a recording may be played, ""
// for none. Only names that browsers play count; what is in the file is the
// browser's sandbox's to judge, never as a document.
func videoType(p string) string {
	switch strings.ToLower(path.Ext(p)) {
	case ".mp4", ".m4v", ".mov":
		return "video/mp4"
	case ".webm":
		return "video/webm"
	}
	return ""
}

type hashView struct {
	Place, Where string
	Status       status
	Lines        []hashLine
	How          string
}

type hashLine struct{ Name, Value string }

func hashes(v *reading.ItemView) []hashView {
	var all []hashView
	for _, c := range v.Checks {
		h := hashView{Status: verdictStatus(c.Verdict)}
		switch c.Place {
		case reading.AtCamera:
			h.Place, h.Where = "camera", "On the camera"
			h.How = "The dock read the camera a second time, on its own, and got the same parts."
			if c.SHA256 != nil {
				h.How = "The camera had signed this hash for the recording, with a key that it has proven to hold."
			}
		case reading.AtDock:
			h.Place, h.Where = "dock", "At the dock"
			h.How = "Taken in one pass while reading, and signed by the dock before the first byte left it."
			if v.Item.Kind == evidence.KindDerivative {
				h.Place, h.Where, h.How = "file", "When it was made", "Taken of what was made, and signed by the server before a byte of it was stored."
			}
		case reading.OnArrival:
			h.Place, h.Where = "moving", "On arrival"
			h.How = "Every part of 1 MiB was opened and compared with the signed list before it was written."
			if c.Encoding != evidence.EncodedAsIs {
				h.How = "It came compressed: every part of 1 MiB of that was opened and compared with the dock’s list before it was written."
			}
		case reading.AtRest:
			h.Place, h.Where = "disk", "On the disk"
			h.How = "Read back from the medium as a whole after it was stored, opened, and hashed; signed in the receipt."
		}
		if c.SHA256 != nil {
			h.Lines = append(h.Lines, hashLine{"SHA-256", c.SHA256.String()})
		}
		if c.MerkleRoot != nil {
			name := "Merkle root"
			if c.Encoding != evidence.EncodedAsIs {
				name = "Merkle root, compressed"
			}
			h.Lines = append(h.Lines, hashLine{name, c.MerkleRoot.String()})
		}
		all = append(all, h)
	}
	return all
}

func verdictStatus(v reading.Verdict) status {
	switch v {
	case reading.Equal:
		return status{"ok", "ok", "Equal"}
	case reading.Unequal:
		return status{"bad", "stop", "Unequal"}
	case reading.Pending:
		return status{"", "wait", "Not yet"}
	}
	return status{"warn", "warn", "Cannot be told"}
}

// chainVerdict is the worst of an item's checks.
func chainVerdict(v *reading.ItemView) status {
	worst := reading.Equal
	rank := map[reading.Verdict]int{reading.Equal: 0, reading.Pending: 1, reading.Unknown: 2, reading.Unequal: 3}
	for _, c := range v.Checks {
		if rank[c.Verdict] > rank[worst] {
			worst = c.Verdict
		}
	}
	switch worst {
	case reading.Equal:
		return status{"ok", "ok", map[int]string{3: "All three equal", 4: "All four equal"}[len(v.Checks)]}
	case reading.Unequal:
		return status{"bad", "stop", "Not equal"}
	case reading.Pending:
		return status{"busy", "wait", "Not complete yet"}
	}
	return status{"warn", "warn", "Cannot be told"}
}
