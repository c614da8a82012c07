package offload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/spool"
	ptp "github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Docking is one stay of one camera in one bay. Serve runs in one goroutine,
// which owns all fields but status; Status may be called from any.
type Docking struct {
	desk *Desk
	port string
	link camera.Link
	id   evidence.DockingID
	log  *slog.Logger
	status

	camera       evidence.CameraInfo
	extended     camera.Extended                     // nil for a camera without the extension
	cameraStatus ptp.Status                          // of a camera with it, as last asked
	key          []byte                              // that the camera has proven to hold
	proof        []byte                              // envelope that shows it
	signed       map[uint32]evidence.CameraRecording // what the camera has signed, by handle
	listings     [][]byte                            // the envelopes that say so
	next         uint64                              // number that its next recording will get
	number       uint64                              // of this docking, by the journal
	findings     []evidence.Finding
	unsaid       bool // there is a finding that no inventory carries yet
	light        ptp.Indicator
	care         care
	restart      bool          // the camera was told to restart
	hurried      bool          // the journal knows that this docking is urgent
	pressed      chan struct{} // the button at the bay was pressed

	answer     *upload.CameraAnswer // how the camera stands at the server; nil before the first answer
	askAt      time.Time            // when it is asked again
	answeredAt time.Time
	reason     string // why nothing is erased, as last found

	measured *evidence.Offset // camera ahead of dock when it came
	wasSet   *evidence.Offset // the same when its clock was set at an earlier docking
	clockSet *evidence.Offset // the same from now on
	drift    *evidence.Drift
	coarse   bool // the camera's clock counts whole seconds

	standIn  bool      // the camera tells no serial number: camera.Serial is made up
	clockRaw string    // the camera's clock
	clockAt  time.Time // the dock's clock at that reading
	claims   map[string]evidence.Claims
	items    map[objectKey]*item
	listedAt time.Time
	listing  time.Duration   // how long the last listing took
	news     <-chan struct{} // the camera's word that its listing changed; nil when it gives none
	stale    bool            // it gave that word since the last listing
	erasedAt time.Time       // end of the last erasure, or of the first listing
	troubles int             // failed copies in a row
	paused   bool            // there was no room at the last copy; it is in the log

	buffers [buffersPerBay][]byte
	sealed  []byte // the one sealed segment between sealer and spool

	finished  chan finished // copies whose durability was awaited aside
	finishing int           // how many are on their way there
	held      uint64        // bytes of memory that they hold

	together     []finished // of these, gathered and not begun
	heldTogether uint64     // bytes of memory that they hold
}

// objectKey is how the camera itself tells its objects apart within a session.
type objectKey struct{ storage, handle uint32 }

// item is one object of the camera, as this docking knows it.
type item struct {
	object camera.Object
	source spool.Source
	id     evidence.EvidenceID // zero until it is known which recording this is

	// read: this docking has read, from this very object, the bytes that
	// attempt of id stands for. Only then may the object be erased.
	read    bool
	attempt uint32
	length  uint64 // bytes that were read

	standing spool.Standing
	retryAt  time.Time
	failures int
	sought   bool // looked for in the journal
	listed   bool // still on the camera at the last listing
	settled  bool // nothing more is done about it in this docking
	seen     int  // listings in a row that show it as it is
	changes  int  // listings that showed it otherwise than the one before
	shrank   bool // one of them showed it smaller
	large    bool // it fits into no spool; it is in the log

	finishing bool // read and confirmed; its copy is made durable aside
}

// Docking prepares the docking of the camera behind link in the bay at port.
func (k *Desk) Docking(port string, link camera.Link) *Docking {
	d := &Docking{desk: k, port: port, link: link, id: evidence.NewDockingID(), claims: map[string]evidence.Claims{}, items: map[objectKey]*item{}, finished: make(chan finished, maxFinishing), pressed: make(chan struct{}, 1)}
	d.log = k.opt.Log.With("component", "offload", "bay", port)
	if telling, ok := link.(camera.Telling); ok {
		d.news = telling.News()
	}
	d.status.begin(port, k.opt.Now)
	return d
}

// Serve copies, waits for receipts and erases until the camera is gone, the link
// fails or ctx ends; the error is never nil. It does not close the link. What
// was begun goes on at the next docking.
func (d *Docking) Serve(ctx context.Context) error {
	defer d.desk.leave(d)
	defer d.desert()
	defer d.endCare()
	err := d.serve(ctx)
	if d.restart && errors.Is(err, camera.ErrGone) {
		return fmt.Errorf("%w: %w", ErrRestarting, err)
	}
	return err
}

// ErrRestarting: the camera is gone because it was told to restart.
var ErrRestarting = errors.New("the camera restarts with its new firmware")

func (d *Docking) serve(ctx context.Context) error {
	if err := d.arrive(ctx); err != nil {
		return err
	}
	for {
		changed := d.desk.opt.Spool.Changed()
		busy, err := d.step(ctx)
		if err != nil {
			return err
		}
		if busy {
			continue
		}
		if err := d.wait(ctx, changed); err != nil {
			return err
		}
	}
}

// arrive asks the camera who it is and what it has.
func (d *Docking) arrive(ctx context.Context) error {
	d.say("reading", "Reading what the camera holds.")
	identity, err := d.link.Identity(ctx)
	if err != nil {
		return fmt.Errorf("asking the camera in bay %s who it is: %w", d.port, err)
	}
	if d.number, err = d.desk.opt.Spool.NextDocking(ctx); err != nil {
		return err
	}
	d.camera, d.standIn = cameraInfo(identity, d.port)
	d.clockRaw, d.clockAt = clean(identity.ClockRaw, 64), d.desk.opt.Now().UTC()
	d.log = d.log.With("camera", d.camera.Serial)
	d.identify(d.camera, identity.Battery)
	if d.standIn {
		d.alert(aboutDocking, fmt.Sprintf("This camera does not tell its serial number. Its recordings are taken in under the name %s; have the camera looked at.", d.camera.Serial))
	}
	if d.standIn {
		d.find(evidence.FoundNoSerial, "the camera tells no serial number; %s stands for it", d.camera.Serial)
	}
	if err := d.meet(ctx); err != nil {
		return err
	}
	twin, err := d.enter(ctx)
	if err != nil {
		return err
	}
	if twin != "" {
		d.find(evidence.FoundTwin, "the camera in bay %s gives the same serial number", twin)
		d.alert(aboutDocking, twinAlert(twin))
		d.desk.twins(d.camera.Serial, d.port)
	}
	if err := d.list(ctx); err != nil {
		return err
	}
	d.erasedAt = d.listedAt
	return nil
}

// meet finds out whose camera it is, has it open, and compares clocks.
func (d *Docking) meet(ctx context.Context) error {
	if err := d.authenticate(ctx); err != nil {
		return err
	}
	d.ask(ctx)
	if err := d.checkJournal(ctx); err != nil {
		return err
	}
	if err := d.open(ctx); err != nil {
		return err
	}
	return d.compareClock(ctx)
}

// checkJournal finds out whether this journal is older than what the server has
// seen of it. Then no receipt in it counts any more.
func (d *Docking) checkJournal(ctx context.Context) error {
	seen := d.answer.GetJournal()
	if counted, err := d.desk.opt.Spool.Dockings(ctx); err != nil || seen <= counted {
		return err // other bays may have been docked since this one was counted
	}
	taken, err := d.desk.opt.Spool.Distrust(ctx, seen)
	if err != nil {
		return err
	}
	d.find(evidence.FoundStaleJournal, "the dock's journal counts %d dockings and the server has seen %d: it is an older copy. %d receipts are asked for again", d.number, seen, taken)
	d.log.Error("the journal is older than what the server has seen of it; receipts in it are asked for again", "dockings", d.number, "seen", seen, "receipts", taken)
	d.number, err = d.desk.opt.Spool.NextDocking(ctx)
	return err
}

func twinAlert(port string) string {
	return fmt.Sprintf("The camera in bay %s gives the same serial number. Both are taken in; have the cameras looked at.", port)
}

// enter notes whose docking this is. A camera that was moved from one bay to
// another may still be noted for the old one: that passes within a moment. A
// second camera with the same serial number stays.
func (d *Docking) enter(ctx context.Context) (twin string, err error) {
	const tries, pause = 10, 200 * time.Millisecond
	for range tries {
		if twin = d.desk.enter(d.camera.Serial, d); twin == "" {
			return "", nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return "", ctx.Err()
		}
	}
	return twin, nil
}

// list asks the camera what it holds. When something is new, the inventory is
// signed and queued for the server before any of it is read.
func (d *Docking) list(ctx context.Context) error {
	began := d.desk.opt.Now()
	d.stale = false
	objects, odd, err := d.link.List(ctx)
	if err != nil {
		return fmt.Errorf("listing the camera in bay %s: %w", d.port, err)
	}
	d.listedAt = d.desk.opt.Now()
	d.listing = d.listedAt.Sub(began)
	d.tellMissing(odd)
	first := len(d.items) == 0
	news := d.merge(objects)
	if first { // the server hears of what was erased before it hears that it is gone
		if err := d.finishErasing(ctx); err != nil {
			return err
		}
	}
	if news || first {
		if err := d.readSigned(ctx, objects); err != nil {
			return err
		}
	}
	if !news && !first && !d.unsaid {
		return nil
	}
	warnings := make([]string, 0, len(odd)+1)
	if d.standIn {
		warnings = append(warnings, fmt.Sprintf("the camera tells no serial number; %s stands for it, made of vendor, model and bay", d.camera.Serial))
	}
	for _, w := range odd {
		d.log.Warn("the camera's listing is odd", "handle", w.Handle, "warning", w.Message)
		warnings = append(warnings, w.Message)
	}
	unread, err := d.readClaims(ctx, objects)
	if err != nil {
		return err
	}
	signed, err := d.inventories(objects, append(warnings, unread...))
	if err != nil {
		return fmt.Errorf("signing the inventory of bay %s: %w", d.port, err)
	}
	if err := d.desk.opt.Spool.Queue(ctx, spool.KindInventory, signed...); err != nil {
		return err
	}
	d.unsaid = false
	d.log.Info("camera listed", "recordings", len(objects), "warnings", len(warnings)+len(unread))
	return nil
}

// tellMissing alerts people when the camera lists what cannot be taken in.
func (d *Docking) tellMissing(odd []camera.Warning) {
	missing := slices.DeleteFunc(slices.Clone(odd), func(w camera.Warning) bool { return !w.Missing })
	if len(missing) == 0 {
		d.withdraw(aboutListing)
		return
	}
	worst := missing[len(missing)-1] // an end of the listing comes last
	d.find(evidence.FoundIncomplete, "%d places of the camera's listing cannot be taken in; the last: %s", len(missing), worst.Message)
	d.alert(aboutListing, fmt.Sprintf("Not all that this camera lists can be taken in; it stays on the camera. Have the camera looked at before it is used again. (%d places; the last: %s)", len(missing), worst.Message))
}

// merge brings the known items up to date with a listing, and says whether
// anything is new. An object that changed size or time is another recording.
func (d *Docking) merge(objects []camera.Object) (news bool) {
	for _, it := range d.items {
		it.listed = false
	}
	for _, o := range objects {
		key, source := objectKey{o.Storage, o.Handle}, sourceOf(d.camera.Serial, o)
		it, known := d.items[key]
		if known && it.source == source {
			it.object, it.listed = o, true
			if it.seen++; it.seen == 2 && it.changes >= restless {
				d.withdraw(it.about())
			}
			continue
		}
		fresh := &item{object: o, source: source, listed: true, seen: 1}
		if known {
			fresh.changes, fresh.shrank = it.changes+1, it.shrank || o.Size < it.object.Size
			d.changed(fresh)
		}
		d.items[key] = fresh
		news = true
	}
	for key, it := range d.items {
		if !it.listed && it.standing.State != spool.StateErased {
			d.log.Info("the camera no longer lists a recording", "path", it.source.Path, "item", it.id)
			delete(d.items, key)
		}
	}
	return news
}

// queue gives the items in the order in which they are copied: sidecars first,
// those that failed last, else oldest first.
func (d *Docking) queue() []*item {
	all := make([]*item, 0, len(d.items))
	for _, it := range d.items {
		all = append(all, it)
	}
	slices.SortFunc(all, func(a, b *item) int {
		return compare(a.rank(), b.rank(), strings.Compare(a.source.Captured, b.source.Captured), strings.Compare(a.source.Path, b.source.Path))
	})
	return all
}

func (it *item) rank() int {
	switch {
	case it.failures > 0:
		return 2
	case it.object.Kind == evidence.KindMetadata:
		return 0
	}
	return 1
}

func compare(a, b int, then ...int) int {
	if a != b {
		return a - b
	}
	for _, c := range then {
		if c != 0 {
			return c
		}
	}
	return 0
}
