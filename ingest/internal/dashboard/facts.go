package dashboard

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

type factGroup struct {
	Heading string
	Rows    []fact
}

// fact is one line about an item: a text, a link or a time.
type fact struct {
	Name, Value string
	Link        string
	Time        time.Time
	Note        string
	Mono        bool
}

// facts is the column beside the player: what the manifest, the receipt and
// the catalog say.
func (d *Dashboard) facts(v *reading.ItemView) []factGroup {
	return slices.Concat(derivationFacts(v), timeFacts(v), recordingFacts(v), claimFacts(v), broughtFacts(v), carriedFacts(v), clockFacts(v), originalFacts(v), derivedFacts(v), besideFacts(v))
}

// storedNote tells when fewer bytes are stored than the recording has.
func storedNote(item *catalog.Item) string {
	if item.Encoding == evidence.EncodedAsIs {
		return ""
	}
	return "stored compressed (" + string(item.Encoding) + "), " + countText(item.Encoded) + " of " + countText(item.Length) + " bytes"
}

func recordingFacts(v *reading.ItemView) []factGroup {
	item := v.Item
	rows := []fact{
		{Name: "Path on the camera", Value: item.Path, Mono: true},
		{Name: "Evidence id", Value: item.ID.String(), Mono: true},
		{Name: "Length", Value: countText(item.Length) + " bytes", Note: storedNote(item)},
		{Name: "SHA-256", Value: item.SHA256.String(), Mono: true},
		{Name: "Camera", Value: item.Camera, Mono: true, Note: item.CameraModel, Link: listLink("camera", item.Camera)},
		{Name: "Dock", Value: string(item.Dock), Mono: true, Note: "station " + string(item.Station) + ", bay " + item.Bay, Link: listLink("dock", string(item.Dock))},
	}
	if item.Attempt > 1 {
		rows = append(rows, fact{Name: "Reading", Value: "no. " + strconv.FormatUint(uint64(item.Attempt), 10), Note: "earlier readings did not reach the store whole"})
	}
	if m := v.Manifest; m != nil && m.Derivation != nil {
		return []factGroup{{"Recording", rows}} // derivationFacts tell of its manifest
	} else if m == nil {
		rows = append(rows, fact{Name: "Manifest", Value: "cannot be read", Note: "the dock’s statement is kept as it came"})
	} else {
		signed := "signed by the dock, and the signature holds"
		if !v.ManifestSigned {
			signed = "the signature fits none of the dock’s keys"
		}
		if m.Camera.Firmware != "" {
			rows = append(rows, fact{Name: "Camera firmware", Value: m.Camera.Firmware, Mono: true})
		}
		rows = append(rows, confirmFact(m), fact{Name: "Manifest", Value: signed, Note: "dock agent " + m.Agent})
		if number := numberFact(&m.Recording); number != nil {
			rows = slices.Insert(rows, 2, *number)
		}
	}
	for _, mark := range item.Marks {
		rows = append(rows, fact{Name: "Noted", Value: markText(mark)})
	}
	return []factGroup{{"Recording", rows}}
}

// markText puts the server's words about an unusual item into words for people.
func markText(mark string) string {
	switch mark {
	case "doubtful_manifest":
		return "the dock’s statement is in doubt"
	case "other_station":
		return "the statement names another station than the dock’s"
	case "unknown_officer":
		return "no officer was claimed"
	case "unknown_start":
		return "the camera gave no time"
	case "unknown_kind":
		return "neither a video nor a sidecar, as far as its name says"
	}
	return mark
}

// claimFacts are what the camera's sidecar says: claims, and named so.
func claimFacts(v *reading.ItemView) []factGroup {
	item := v.Item
	officer := item.Officer
	if officer == "" {
		officer = "not known"
	}
	rows := []fact{{Name: "Officer", Value: officer, Note: item.OfficerID}}
	if category := item.ClaimedCategory(); category != "" {
		rows = append(rows, fact{Name: "Category", Value: category})
	}
	return []factGroup{{"As the camera claims", rows}}
}

// carriedFacts are how the recording came from the dock to this server, as the
// event of its storing says.
func carriedFacts(v *reading.ItemView) []factGroup {
	for _, row := range v.Events {
		var e evidence.Event
		if row.Type != evidence.EventEvidenceStored || json.Unmarshal(row.JSON, &e) != nil {
			continue
		}
		var rows []fact
		for _, known := range []struct{ key, name string }{{"transport", "Carried over"}, {"key_exchange", "Key exchange"}, {"cipher_suite", "Cipher suite"}} {
			if value := e.Details[known.key]; value != "" {
				rows = append(rows, fact{Name: known.name, Value: carriedText(known.key, value)})
			}
		}
		if rows != nil {
			return []factGroup{{"On the way here", rows}}
		}
	}
	return nil
}

// carriedText puts a word for a transport into words for people; others are
// shown as they are.
func carriedText(key, value string) string {
	if key == "transport" {
		switch value {
		case upload.OverQUIC:
			return "QUIC, TLS 1.3"
		case upload.OverTCP:
			return "TCP, TLS 1.3"
		}
	}
	return value
}

func originalFacts(v *reading.ItemView) []factGroup {
	item := v.Item
	if item.Kind == evidence.KindDerivative {
		return nil
	}
	var rows []fact
	switch {
	case item.ReleaseResult == evidence.ReleaseErased:
		rows = []fact{{Name: "Original", Value: "erased from the camera after the receipt was verified"}, {Name: "Erased", Time: item.ErasedAt, Note: "dock’s clock"}}
	case item.ReleaseResult == evidence.ReleaseFailed:
		rows = []fact{{Name: "Original", Value: "the camera refused to erase it; it is still there", Note: item.ReleaseReason}}
	default:
		rows = []fact{{Name: "Original", Value: "on the camera, as far as is known", Note: "it is erased only against a verified receipt"}}
	}
	return []factGroup{{"On the camera", rows}}
}

func besideFacts(v *reading.ItemView) []factGroup {
	var rows []fact
	for _, s := range v.Siblings {
		name := "Beside it"
		switch s.Kind {
		case evidence.KindMetadata:
			name = "Sidecar"
		case evidence.KindVideo:
			name = "Video"
		}
		rows = append(rows, fact{Name: name, Value: baseName(s.Path), Link: "/evidence/" + s.ID.String(), Note: itemStatus(s.State).Word})
	}
	if v.TakenOver != nil {
		rows = append(rows, fact{Name: "Its recording is in", Value: v.TakenOver.ID.String(), Mono: true, Link: "/evidence/" + v.TakenOver.ID.String()})
	}
	if rows == nil {
		return nil
	}
	return []factGroup{{"Belongs together", rows}}
}

// eventView is one custody event in words.
type eventView struct {
	Tone, Shape, What string
	Who, Source       string
	At                time.Time
	LogIndex          string
	Reason            string
	Details           []fact
}

func eventOf(row catalog.EventRow) eventView {
	v := eventView{At: row.At, What: string(row.Type), Shape: "info"}
	if row.LogIndex != nil {
		v.LogIndex = countText(*row.LogIndex)
	}
	var e evidence.Event
	if err := json.Unmarshal(row.JSON, &e); err != nil {
		v.Reason = "The event’s text cannot be read; its hash is in the log."
		return v
	}
	v.Tone, v.Shape, v.What = eventText(e.Type)
	if number := e.Details["number"]; number != "" && strings.HasPrefix(string(e.Type), "case.") {
		v.What += " " + number
	}
	v.Who, v.Reason = whoText(e.Actor), e.Reason
	if e.Source != "local" {
		v.Source = e.Source
	}
	switch e.Outcome {
	case evidence.OutcomeRefused:
		v.Tone, v.Shape, v.What = "warn", "warn", v.What+": refused"
	case evidence.OutcomeFailed:
		v.Tone, v.Shape, v.What = "bad", "stop", v.What+": failed"
	}
	for name, value := range e.Details {
		v.Details = append(v.Details, fact{Name: name, Value: value})
	}
	slices.SortFunc(v.Details, func(a, b fact) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return v
}

func whoText(a evidence.Actor) string {
	switch a.Kind {
	case "user":
		if a.Name != "" {
			return a.Name
		}
		return "user " + a.ID
	case "dock":
		return "dock " + a.ID
	case "server":
		return "this server"
	}
	return a.Kind + " " + a.ID
}

func eventText(t evidence.EventType) (tone, shape, what string) {
	switch t {
	case evidence.EventInventoryTaken:
		return "", "notes", "Camera listed"
	case evidence.EventManifestReceived:
		return "busy", "dock", "Announced by the dock"
	case evidence.EventTransferRefused:
		return "warn", "warn", "Transfer refused"
	case evidence.EventEvidenceStored:
		return "ok", "ok", "Stored, read back and proven"
	case evidence.EventQuarantined:
		return "bad", "stop", "Put into quarantine"
	case evidence.EventDerivativeSigned:
		return "busy", "file", "Made of an original"
	case evidence.EventDerived:
		return "", "video", "A clip was made of it"
	case evidence.EventHealed:
		return "ok", "ok", "Healed: good bytes put back and proven"
	case evidence.EventCameraErased:
		return "ok", "camera", "Original erased from the camera"
	case evidence.EventCameraEraseFailed:
		return "warn", "warn", "Camera did not erase the original"
	case evidence.EventEvidenceViewed:
		return "", "eye", "Looked at"
	case evidence.EventEvidencePlayed:
		return "", "play", "Played"
	case evidence.EventReceiptOpened:
		return "", "receipt", "Receipt opened"
	case evidence.EventDownloaded:
		return "", "down", "Original downloaded"
	case evidence.EventAnnotated:
		return "", "notes", "What is said of it was changed"
	case evidence.EventDockTokenMade:
		return "", "key", "A token to enrol was made"
	case evidence.EventDockTokenEnded:
		return "", "off", "A token to enrol was withdrawn"
	case evidence.EventDockEnrolled:
		return "ok", "dock", "Enrolled"
	case evidence.EventDockDisabled:
		return "bad", "stop", "Shut out"
	case evidence.EventDockEnabled:
		return "ok", "ok", "Let in again"
	case evidence.EventDockRefused:
		return "warn", "warn", "Not let in"
	case evidence.EventDockRemoved:
		return "", "off", "Removed"
	case evidence.EventPackaged:
		return "", "package", "Custody package made"
	case evidence.EventActRequested:
		return "", "wait", "A second person was asked for"
	case evidence.EventActApproved:
		return "", "ok", "Approved by a second person"
	case evidence.EventActRefused:
		return "bad", "stop", "Refused by a second person"
	case evidence.EventActWithdrawn:
		return "", "wait", "No longer asked for"
	case evidence.EventCaseItemAdded:
		return "", "package", "Put into the case"
	case evidence.EventCaseItemRemoved:
		return "", "package", "Taken out of the case"
	}
	return "", "info", string(t)
}

// listLink is the address of the evidence list, narrowed to one value.
func listLink(name, value string) string {
	return "/evidence?" + url.Values{name: {value}}.Encode()
}
