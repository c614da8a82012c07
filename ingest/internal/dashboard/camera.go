package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

type cameraView struct {
	base
	Camera     cameraRow
	StandsText string
	HeldBy     string
	Keys       []keyView
	Report     *reportView
	Dockings   []dockingView
	Worn       []wornView
	Alerts     []alertView
	Closed     []alertView // acknowledged or over
	Items      []itemRow
	ItemsLink  string
	Done       string // what an act has done
	Problem    string // why an act was refused
	Form       actForm
	Zone       string // in which times are typed
	Here       string // address of this page
	CanDecide  bool
	CanAssign  bool
	CanHold    bool
	CanEndHold bool
	CanBegin   bool
}

type keyView struct {
	catalog.CameraKey
	ID        evidence.Digest
	Short     string
	Status    status
	By        string
	Certified bool
	Now       bool // the camera proved this one at its last docking
	Approve   bool // whether that is a choice
	Block     bool
}

type dockingView struct {
	catalog.Docking
	Clock    clockWords
	Partial  bool
	Findings []string
}

type wornView struct {
	cameras.Worn
	Now bool
	By  string
}

// cameraPage shows a camera whose serial is in the path.
func (d *Dashboard) cameraPage(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	d.camera(w, r, actor, r.PathValue("serial"))
}

func (d *Dashboard) camera(w http.ResponseWriter, r *http.Request, actor *auth.Actor, serial string) {
	v, err := d.drawCamera(r.Context(), actor, serial)
	if err != nil {
		d.noCamera(w, r, actor, err)
		return
	}
	v.Done = doneText(r.URL.Query().Get("done"), serial)
	d.show(w, r, http.StatusOK, "camera", v)
}

// noCamera answers an error of a page about one camera.
func (d *Dashboard) noCamera(w http.ResponseWriter, r *http.Request, actor *auth.Actor, err error) {
	if errors.Is(err, catalog.ErrNotFound) {
		d.problem(w, r, actor, http.StatusNotFound, "There is no such camera", "No camera with this serial number was ever docked here. Check the number, or search for it among the cameras.")
		return
	}
	d.fail(w, r, actor, err)
}

func (d *Dashboard) drawCamera(ctx context.Context, actor *auth.Actor, serial string) (*cameraView, error) {
	desk := d.Cameras.For(actor)
	page, err := desk.Camera(ctx, serial)
	if err != nil {
		return nil, err
	}
	names := d.names(ctx)
	v := &cameraView{
		base: d.roomBase(ctx, actor, "Camera "+serial, "cameras"), Camera: rowOf(page.Camera, &page.Report), StandsText: standingText(page.Camera.Standing),
		HeldBy: names(page.Camera.HeldBy), Report: reportOf(&page.Report), Items: rows(page.Items), ItemsLink: listLink("camera", serial), Here: cameraLink(serial),
		Zone: d.Now().In(d.Zone).Format("MST"),
	}
	may := func(do auth.Action) bool { return auth.May(actor, do, auth.Object{Agency: page.Camera.Agency}) }
	v.CanDecide, v.CanAssign, v.CanHold, v.CanEndHold, v.CanBegin = may(auth.DecideCameraKey), may(auth.AssignCamera), may(auth.HoldCamera), may(auth.EndCameraHold), may(auth.BeginCamera)
	for _, k := range page.Keys {
		v.Keys = append(v.Keys, keyOf(k, page.Camera.Key, names))
	}
	for _, docking := range page.Dockings {
		v.Dockings = append(v.Dockings, dockingOf(docking))
	}
	if len(page.Dockings) > 0 {
		v.Camera.Docked, v.Camera.Clock = true, clockOf(&page.Dockings[0])
	}
	now := d.Now()
	for _, worn := range page.Assignments {
		v.Worn = append(v.Worn, wornView{worn, worn.Covers(now), names(worn.By)})
	}
	for _, a := range page.Alerts {
		if drawn := alertOf(a, names, desk.MayAcknowledge(&a), v.Here); a.Open() {
			v.Alerts = append(v.Alerts, drawn)
		} else {
			v.Closed = append(v.Closed, drawn)
		}
	}
	return v, nil
}

func keyOf(k catalog.CameraKey, proven []byte, names func(string) string) keyView {
	v := keyView{CameraKey: k, ID: evidence.KeyID(k.Key), By: names(k.DecidedBy), Certified: len(k.Certificate) > 0, Now: string(k.Key) == string(proven)}
	v.Short = v.ID.String()[:8]
	v.Approve, v.Block = k.Standing != catalog.StandingApproved, k.Standing != catalog.StandingBlocked
	switch k.Standing {
	case catalog.StandingApproved:
		v.Status = status{"ok", "ok", "Approved"}
	case catalog.StandingPending:
		v.Status = status{"warn", "wait", "Waits for approval"}
	case catalog.StandingBlocked:
		v.Status = status{"bad", "stop", "Blocked"}
	default:
		v.Status = standingStatus(k.Standing)
	}
	return v
}

func dockingOf(docking catalog.Docking) dockingView {
	v := dockingView{Docking: docking, Clock: clockOf(&docking), Partial: !docking.Complete()}
	for _, f := range docking.Findings {
		title, _ := alertText(catalog.AlertCode(f.Code))
		if f.Message != "" {
			title += ": " + f.Message
		}
		v.Findings = append(v.Findings, title)
	}
	return v
}

// names returns what people call whoever decided something, from a user id.
func (d *Dashboard) names(ctx context.Context) func(string) string {
	known := map[string]string{"": "", "local": "the server’s command line", "certificate": "the certificate that the camera carries"}
	return func(id string) string {
		if name, ok := known[id]; ok {
			return name
		}
		name := "user " + id
		if user, err := d.Cameras.Catalog.User(ctx, id); err == nil && user.Agency == d.Auth.Agency() {
			name = user.Name
		}
		known[id] = name
		return name
	}
}

// actForm is what was typed into an act that was refused.
type actForm struct {
	Act, Key, Reason, Officer, OfficerID, From, Until, Number string
	Replace                                                   bool
}

// parseMoment reads a time as browsers send it from a field for date and time,
// in the agency's zone. "" is the zero time.
func (d *Dashboard) parseMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	var err error
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		var at time.Time
		if at, err = time.ParseInLocation(form, text, d.Zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, err
}

// doneText says what an act has done.
func doneText(act, serial string) string {
	switch act {
	case "approve":
		return "The key is approved. Camera " + serial + " gets its certificate at its next docking, and what is stored may then be erased from it."
	case "block":
		return "The key is blocked. What a camera with it shows is taken in, and nothing is erased from it."
	case "hold":
		return "Camera " + serial + " is on hold: no dock erases anything from it until the hold ends."
	case "end-hold":
		return "The hold has ended. What is stored may be erased from camera " + serial + " again, after its receipt."
	case "assign":
		return "Camera " + serial + " is assigned. What it recorded in that time is shown with this officer."
	case "unassign":
		return "The assignment has ended."
	case "begin":
		return "It is decided where the numbers of camera " + serial + " begin. The decision, with your name and reason, stands in its completeness from now on."
	case "acknowledge":
		return "The alert is acknowledged, and your name stands beside it."
	}
	return ""
}

// doneLink is a page's address with the result of an act.
func doneLink(page, act string) string {
	u, err := url.Parse(page)
	if err != nil {
		return "/"
	}
	q := u.Query()
	q.Set("done", act)
	u.RawQuery = q.Encode()
	return u.String()
}

// batteryText is a battery's charge at a docking.
func batteryText(percent int) string {
	if percent < 0 {
		return "not told"
	}
	return strconv.Itoa(min(percent, 100)) + " %"
}
