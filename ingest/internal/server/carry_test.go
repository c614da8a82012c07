package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/carry"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/internal/drive"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// load is a drive as a dock leaves it.
type load struct {
	t    *testing.T
	dir  string // where it is mounted
	path string // the dock's folder
	dock *enrolled
	page evidence.CarriagePage
	all  []*receivetest.Recording
}

func newLoad(t *testing.T, d *enrolled, recordings ...*receivetest.Recording) *load {
	t.Helper()
	l := &load{t: t, dir: t.TempDir(), dock: d, page: evidence.CarriagePage{Version: 1}}
	folder, err := drive.Make(l.dir, d.Agency, d.ID)
	l.check(err)
	l.path = folder.Path()
	l.check(folder.Close())
	for _, rec := range recordings {
		l.add(rec)
	}
	l.sign(nil)
	return l
}

func (l *load) check(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *load) write(name string, data []byte) {
	l.t.Helper()
	l.check(os.WriteFile(filepath.Join(l.path, name), data, 0o644))
}

func (l *load) add(rec *receivetest.Recording) {
	l.t.Helper()
	m := &rec.Manifest
	var offer bytes.Buffer
	l.check(upload.WriteMessage(&offer, rec.Offer))
	sealed := append(bytes.Clone(rec.Offer.GetHeader()), bytes.Join(rec.Sealed, nil)...)
	l.write(drive.Offer(m.Evidence, m.Attempt), offer.Bytes())
	l.write(drive.Part(m.Evidence, m.Attempt, 0), sealed)
	l.page.Recordings = append(l.page.Recordings, evidence.CarriedRecording{
		Evidence: m.Evidence, Attempt: m.Attempt, Length: m.Length, Offer: evidence.SHA256(offer.Bytes()), Files: []evidence.Digest{evidence.SHA256(sealed)},
	})
	l.all = append(l.all, rec)
}

// sign writes the index; change may alter it before it is signed.
func (l *load) sign(change func(*evidence.Carriage)) {
	l.t.Helper()
	raw, err := evidence.Encode(&l.page)
	l.check(err)
	part := evidence.CarriagePart{SHA256: evidence.SHA256(raw), Bytes: uint64(len(raw))}
	l.write(drive.Page(part.SHA256), raw)
	c := &evidence.Carriage{
		Version: 1, Agency: l.dock.Agency, Station: l.dock.Station, Dock: l.dock.ID, MadeAt: time.Now(), Agent: "test",
		Recordings: uint64(len(l.page.Recordings)), Statements: uint64(len(l.page.Statements)), Pages: []evidence.CarriagePart{part},
	}
	if change != nil {
		change(c)
	}
	l.write(drive.Index, signed(l.t, l.dock, evidence.TypeCarriage, c))
}

// bring takes the drive in, as the command does.
func (r *running) bring(l *load) (carry.Report, error) {
	r.t.Helper()
	return r.bringUntil(r.ctx, l, nil)
}

func (r *running) bringUntil(ctx context.Context, l *load, tell func(carry.Progress)) (carry.Report, error) {
	r.t.Helper()
	reports, err := ImportSpool(ctx, r.config, "test", l.dir, r.logger(), time.Now, tell)
	if len(reports) == 0 {
		return carry.Report{}, err
	}
	return reports[0], err
}

// holds says that the server has each recording of the drive once, with a receipt
// that holds, and that the drive has it too.
func (r *running) holds(l *load) {
	r.t.Helper()
	db := r.catalog()
	for _, rec := range l.all {
		m := &rec.Manifest
		item, err := db.Item(r.ctx, m.Agency, m.Evidence)
		if err != nil || item.State != catalog.StateStored || item.SHA256 != m.SHA256 {
			r.t.Fatalf("item of %s: %+v, %v", m.Recording.Path, item, err)
		}
		onDrive, err := os.ReadFile(filepath.Join(l.path, drive.Receipt(m.Evidence, m.Attempt)))
		if err != nil || !bytes.Equal(onDrive, item.Receipt) {
			r.t.Errorf("the receipt on the drive: %v", err)
		}
		checkReceipt(r.t, l.dock, rec, &upload.Receipt{Envelope: item.Receipt})
	}
	stored, err := db.CountItems(r.ctx, catalog.ItemFilter{Agency: "springfield"})
	if err != nil || stored.Items != int64(len(l.all)) {
		r.t.Errorf("%d items, %d recordings: %v", stored.Items, len(l.all), err)
	}
	events, err := db.CountEvents(r.ctx, catalog.EventFilter{Agency: "springfield", Type: evidence.EventEvidenceStored})
	if err != nil || events != int64(len(l.all)) {
		r.t.Errorf("%d events of storing, %d recordings: %v", events, len(l.all), err)
	}
}

func (r *running) sound() {
	r.t.Helper()
	summary, err := Check(r.ctx, r.config, false, time.Now, func(f fsck.Finding) {
		if strings.Contains(f.String(), "problem") {
			r.t.Log(f)
		}
	})
	if err != nil || summary.Problems > 0 {
		r.t.Errorf("fsck: %+v, %v", summary, err)
	}
}

// shift are recordings of many lengths.
func shift(t *testing.T, d *enrolled) (all []*receivetest.Recording) {
	for i, n := range []int{0, 1, 70_000, 1 << 20, 1<<20 + 1, 5<<20 + 17, 300, 12 << 20} {
		all = append(all, d.Record(t, fmt.Sprintf("DCIM/%d.MP4", i), append(footage(n), byte(i))[:n]))
	}
	return all
}

func TestADriveIsTakenInBesideTheRunningServerAndWithoutOne(t *testing.T) {
	for _, beside := range []bool{true, false} {
		t.Run(fmt.Sprintf("beside %v", beside), func(t *testing.T) {
			r := newServer(t)
			r.start()
			d := r.enrol("front-desk")
			l := newLoad(t, d, shift(t, d)...)
			inventory := &evidence.Inventory{
				Version: 1, Agency: d.Agency, Station: d.Station, Dock: d.ID, Bay: "1-1", Docking: evidence.NewDockingID(), Camera: evidence.CameraInfo{Serial: "CAM-1"},
				TakenAt: time.Now(), Part: 1, Parts: 1, Recordings: []evidence.RecordingInfo{l.all[0].Manifest.Recording},
			}
			raw := signed(t, d, evidence.TypeInventory, inventory)
			l.write(drive.Statement(evidence.SHA256(raw)), raw)
			l.page.Statements = append(l.page.Statements, evidence.CarriedStatement{Kind: "inventory", SHA256: evidence.SHA256(raw)})
			l.sign(nil)
			if !beside {
				r.end()
			}
			var last carry.Progress
			report, err := r.bringUntil(r.ctx, l, func(p carry.Progress) { last = p })
			if err != nil || !report.Whole() || report.Stored != uint64(len(l.all)) || report.Known != 0 || report.Statements != 1 || report.Receipts != report.Stored || report.Bytes != report.OfBytes {
				t.Fatalf("the first time: %+v, %v", report, err)
			}
			if last.OfRecordings != uint64(len(l.all)) {
				t.Errorf("progress: %+v", last)
			}
			again, err := r.bring(l)
			if err != nil || !again.Whole() || again.Stored != 0 || again.Known != uint64(len(l.all)) {
				t.Fatalf("the second time: %+v, %v", again, err)
			}
			if !beside {
				r.start()
			}
			// The dock offers them over the network, and gets the receipts at once.
			c := r.mustConnect(d)
			for _, rec := range l.all {
				if _, receipt, err := c.Offer(r.ctx, rec); err != nil || receipt == nil {
					t.Fatalf("offered over the network: %v, %v", receipt, err)
				} else {
					checkReceipt(t, d, rec, receipt)
				}
			}
			r.end()
			r.holds(l)
			r.sound()
			events, err := r.catalog().Events(r.ctx, catalog.EventFilter{Agency: "springfield"}, 500)
			if err != nil {
				t.Fatal(err)
			}
			byDrive := map[evidence.EventType]int{}
			for _, e := range events {
				if strings.Contains(string(e.JSON), `"source":"drive with index `) {
					byDrive[e.Type]++
				}
			}
			n := len(l.all)
			if byDrive[evidence.EventManifestReceived] != n || byDrive[evidence.EventEvidenceStored] != n || byDrive[evidence.EventInventoryTaken] != 1 || byDrive[evidence.EventDriveTaken] != 2 {
				t.Errorf("events that name the drive: %v", byDrive)
			}
		})
	}
}

func TestADrivePulledAtAnyPointIsTakenInOnceAndWhole(t *testing.T) {
	for _, beside := range []bool{true, false} {
		r := newServer(t)
		r.start()
		d := r.enrol("front-desk")
		l := newLoad(t, d, shift(t, d)...)
		if !beside {
			r.end()
		}
		broken := 0
		for point := range 14 {
			ctx, pull := context.WithCancel(r.ctx)
			told := 0
			_, err := r.bringUntil(ctx, l, func(carry.Progress) {
				if told++; told > point/2 {
					pull()
				}
			})
			pull()
			if err != nil {
				broken++
			}
		}
		if !beside && broken == 0 {
			t.Error("it was never broken off")
		}
		if report, err := r.bring(l); err != nil || !report.Whole() {
			t.Fatalf("the last time: %+v, %v", report, err)
		}
		r.end()
		r.holds(l)
		r.sound()
	}
}

// What the drive lacks for a moment is a trouble of one recording, not an end.
func TestDamageOnTheDriveIsToldAndWhatIsRightIsTaken(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	l := newLoad(t, d, shift(t, d)...)
	bad := l.all[5].Manifest
	name := filepath.Join(l.path, drive.Part(bad.Evidence, 1, 0))
	good, err := os.ReadFile(name)
	l.check(err)
	damages := map[string]func(){
		"is damaged":    func() { l.check(os.WriteFile(name, flipped(good, 3<<20), 0o644)) },
		"should have":   func() { l.check(os.WriteFile(name, good[:len(good)-1], 0o644)) },
		"no such file":  func() { l.check(os.Remove(name)) },
		"ordinary file": func() { l.check(errors.Join(os.Remove(name), os.Symlink("/etc/passwd", name))) },
	}
	for said, damage := range damages {
		l.check(errors.Join(os.RemoveAll(name), os.WriteFile(name, good, 0o644)))
		damage()
		report, err := r.bring(l)
		if err != nil || report.Whole() || report.Stored+report.Known != uint64(len(l.all)-1) || len(report.Troubles) != 1 || !strings.Contains(report.Troubles[0], said) {
			t.Errorf("%s: %+v, %v", said, report, err)
		}
	}
	l.check(errors.Join(os.RemoveAll(name), os.WriteFile(name, good, 0o644)))
	if report, err := r.bring(l); err != nil || !report.Whole() || report.Stored != 1 {
		t.Errorf("mended: %+v, %v", report, err)
	}
	r.end()
	r.holds(l)
	r.sound()
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 4
	return b
}

func TestADriveThatNoDockOfOursHasSignedIsRefusedOnRecord(t *testing.T) {
	r := newServer(t)
	r.start()
	d, other := r.enrol("front-desk"), r.enrol("back-door")
	rec := d.Record(t, "A.MP4", footage(100))
	outside := t.TempDir()
	cases := []struct {
		said   string
		change func(*load)
	}{
		{"of agency shelbyville", func(l *load) { l.sign(func(c *evidence.Carriage) { c.Agency = "shelbyville" }) }},
		{"not enrolled here", func(l *load) { l.sign(func(c *evidence.Carriage) { c.Dock = "nobody" }) }},
		{"no valid signature of dock back-door", func(l *load) { l.sign(func(c *evidence.Carriage) { c.Dock = other.ID }) }},
		{"names 2 recordings", func(l *load) { l.sign(func(c *evidence.Carriage) { c.Recordings = 2 }) }},
		{"cannot be read", func(l *load) { l.write(drive.Index, []byte(`{"payloadType": 3}`)) }},
		{"longer than", func(l *load) { l.write(drive.Index, make([]byte, evidence.MaxEnvelope+1)) }},
		{"another kind", func(l *load) { l.write(drive.Index, rec.Offer.GetManifest()) }},
		{"not an ordinary file", func(l *load) {
			l.check(errors.Join(os.Remove(filepath.Join(l.path, drive.Index)), os.Symlink(filepath.Join(outside, "x"), filepath.Join(l.path, drive.Index))))
		}},
		{"index is not whole", func(l *load) {
			l.check(errors.Join(os.RemoveAll(filepath.Join(l.path, drive.Pages)), os.Symlink(outside, filepath.Join(l.path, drive.Pages))))
		}},
	}
	for n, c := range cases {
		l := newLoad(t, d, rec)
		c.change(l)
		if _, err := r.bring(l); err == nil || !strings.Contains(err.Error(), "this drive is refused") || !strings.Contains(err.Error(), c.said) {
			t.Errorf("%q: %v", c.said, err)
		}
		if events, err := r.catalog().CountEvents(r.ctx, catalog.EventFilter{Agency: "springfield", Type: evidence.EventDriveRefused}); err != nil || events != int64(n+1) {
			t.Errorf("%q: %d events, %v", c.said, events, err)
		}
	}
	// Not refused, but nothing to take: no drive at all, none finished, one that leads elsewhere.
	for said, make := range map[string]func(*load){
		"was not finished":  func(l *load) { l.check(os.Remove(filepath.Join(l.path, drive.Index))) },
		"nothing that a":    func(l *load) { l.check(os.Rename(l.path, l.dir+"/other")) },
		"not a folder of":   func(l *load) { l.check(errors.Join(os.RemoveAll(l.path), os.Symlink(outside, l.path))) },
		"was it pulled":     func(l *load) { l.check(os.RemoveAll(l.dir)) },
		"it is not a folde": func(l *load) { l.check(errors.Join(os.RemoveAll(l.dir), os.WriteFile(l.dir, nil, 0o600))) },
	} {
		l := newLoad(t, d, rec)
		make(l)
		if _, err := r.bring(l); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%q: %v", said, err)
		}
	}
	if items, err := r.catalog().CountItems(r.ctx, catalog.ItemFilter{Agency: "springfield"}); err != nil || items.Items != 0 {
		t.Errorf("%d items came of it, %v", items.Items, err)
	}
}

func TestADrivesReceiptsAreNotWrittenThroughALink(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	l := newLoad(t, d, d.Record(t, "A.MP4", footage(100)))
	outside := t.TempDir()
	receipts := filepath.Join(l.path, drive.Receipts)
	l.check(errors.Join(os.RemoveAll(receipts), os.Symlink(outside, receipts)))
	report, err := r.bring(l)
	if err != nil || report.Stored != 1 || report.Receipts != 0 || !report.Whole() || report.NoReceipts == "" {
		t.Errorf("%+v, %v", report, err)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("outside lies %v, %v", entries, err)
	}
}

// The network and a drive bring the same recordings at the same time, and a
// second drive some of them.
func TestNetworkAndTwoDrivesBringEachRecordingOnce(t *testing.T) {
	r := newServer(t)
	r.start()
	d := r.enrol("front-desk")
	all := shift(t, d)
	l, second := newLoad(t, d, all...), newLoad(t, d, all[2:6]...)
	c := r.mustConnect(d)
	var group sync.WaitGroup
	group.Go(func() {
		for _, rec := range all {
			for {
				_, err := c.Upload(r.ctx, rec)
				if code(err) == upload.CodeRetryLater && r.ctx.Err() == nil {
					continue
				}
				if err != nil {
					t.Errorf("over the network: %v", err)
				}
				break
			}
		}
	})
	if _, err := r.bring(l); err != nil {
		t.Error(err)
	}
	group.Wait()
	for _, each := range []*load{l, second, l} {
		if report, err := r.bring(each); err != nil || report.Stored+report.Known != uint64(len(each.all)) {
			t.Errorf("%+v, %v", report, err)
		}
	}
	r.end()
	r.holds(l)
	r.sound()
}
