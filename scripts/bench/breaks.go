package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/netlab"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

type breaksCommand struct {
	Bin    string  `default:"bin" help:"Folder of the built programs."`
	Dir    string  `default:".run/bench" help:"Folder for the result, and below it for the work."`
	Breaks int     `default:"200" help:"How often the transfer is broken."`
	GiB    float64 `name:"gib" default:"5" help:"How much is sent, in GiB."`
	Seed   uint64  `default:"1" help:"Of the order of the breaks, their moments and lengths."`
	Mbit   float64 `default:"200" help:"Rate of the link, in 10^6 bits a second."`
	Only   string  `help:"Only breaks of the kinds whose names hold this."`
}

const (
	breakFile    = 16 << 20         // bytes of each recording
	breakCameras = 4                // that held them
	priceBytes   = 384 << 20        // sent without a break, to know what a byte costs on the link
	standstill   = 2 * time.Minute  // nothing moves for so long: it never will
	lastReceipts = 10 * time.Minute // for the rest, once all breaks are over
	chunk        = 1 << 20          // bytes that one break may cost
)

// Run breaks one transfer again and again, and counts what that cost.
func (c *breaksCommand) Run(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root: run it with sudo")
	}
	b, err := common{Bin: c.Bin, Dir: c.Dir, Rounds: 1}.prepare("breaks")
	if err != nil {
		return err
	}
	link := netlab.Conditions{Rate: c.Mbit * mbit, RTT: 10 * time.Millisecond, Seed: c.Seed}
	price, err := b.prices(ctx, link)
	if err != nil {
		return fmt.Errorf("sending without a break: %w", err)
	}
	files := int(c.GiB * (1 << 30) / breakFile / breakCameras)
	if files == 0 {
		return fmt.Errorf("%g GiB are no %d recordings of 16 MiB", c.GiB, breakCameras)
	}
	r, err := b.filled(ctx, link, docking{"breaks", breakCameras, files, breakFile})
	if err != nil {
		return err
	}
	t := &trial{rig: r, price: price, random: rand.New(rand.NewPCG(c.Seed, 5)), result: b.result}
	err = t.play(ctx, c.Breaks, c.Only)
	logs := filepath.Join(b.Dir, "breaks-logs")
	err = errors.Join(err, keep(r.station, logs))
	r.close()
	if err != nil {
		return fmt.Errorf("%w (seed %d, logs in %s)", err, c.Seed, logs)
	}
	if err := b.finish(); err != nil {
		return err
	}
	return b.result.unmet()
}

// unmet is an error that names the bars that are not reached.
func (r *Result) unmet() error {
	var missed []string
	for _, bar := range r.Bars {
		if !bar.Met {
			missed = append(missed, bar.What)
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("%d of %d bars were missed: %s", len(missed), len(r.Bars), strings.Join(missed, "; "))
	}
	return nil
}

// keep copies the programs' logs out of a station's folder, which is about to go.
func keep(s *station.Station, into string) error {
	if err := os.MkdirAll(into, 0o700); err != nil {
		return err
	}
	var wrong []error
	for _, name := range []string{"agent", "ingest"} {
		text, err := os.ReadFile(s.LogPath(name))
		wrong = append(wrong, err, os.WriteFile(filepath.Join(into, name+".log"), text, 0o600))
	}
	return errors.Join(wrong...)
}

// filled makes a rig of a docking: all its recordings are in the spool, its
// cameras are out of their bays and its agent is stopped.
func (b *bench) filled(ctx context.Context, link netlab.Conditions, d docking) (*rig, error) {
	lab, err := netlab.Open(link)
	if err != nil {
		return nil, err
	}
	s, err := b.open(ctx, filepath.Join(b.work, "station"), d, station.Options{Link: lab})
	if err != nil {
		return nil, errors.Join(err, lab.Close())
	}
	r := &rig{lab: lab, station: s, docking: d, close: func() { b.closeStation(s); lab.Close() }}
	err = r.load(ctx)
	for bay := 1; bay < d.Cameras && err == nil; bay++ { // load took the first one out
		_, err = s.Control(ctx, "unplug", fmt.Sprintf("1-%d", bay+1))
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// loads is what has come through the link to the server, in bytes of whole IP
// packets.
type loads struct{ udp, tcp int64 }

func (r *rig) carried() (c loads) {
	for _, f := range r.lab.Flows() {
		if f.Protocol == "tcp" {
			c.tcp += f.Bytes
		} else {
			c.udp += f.Bytes
		}
	}
	return c
}

// price is what a byte of a recording costs on the link where nothing breaks.
type price struct{ udp, tcp float64 }

// worth is how many bytes of recordings would cost so much.
func (p price) worth(c loads) float64 { return float64(c.udp)/p.udp + float64(c.tcp)/p.tcp }

// prices sends over QUIC, and over TCP, without a break.
func (b *bench) prices(ctx context.Context, link netlab.Conditions) (p price, err error) {
	for _, blocked := range []bool{false, true} {
		r, err := b.filled(ctx, link, docking{"price", 1, priceBytes / breakFile, breakFile})
		if err != nil {
			return p, err
		}
		r.lab.DropUDP(blocked)
		_, err = r.send(ctx, nil)
		c := r.carried()
		r.close()
		if err != nil {
			return p, err
		}
		most, other := c.udp, c.tcp
		if blocked {
			most, other = other, most
		}
		if other > most/50 {
			return p, fmt.Errorf("%d bytes went over UDP and %d over TCP, with UDP blocked: %v", c.udp, c.tcp, blocked)
		}
		cost := float64(most) / priceBytes
		if blocked {
			p.tcp = cost
		} else {
			p.udp = cost
		}
	}
	say("a byte costs %.4f on the link over QUIC, %.4f over TCP", p.udp, p.tcp)
	return p, nil
}

// trial is one transfer that is broken again and again.
type trial struct {
	rig    *rig
	price  price
	random *rand.Rand
	result *Result

	most    int64  // bytes that the server was ever said to hold for good
	carried uint64 // bytes that became durable there since the agent's start
	sent    loads  // when the last receipt was there
}

// play sends all with so many breaks, and judges.
func (t *trial) play(ctx context.Context, breaks int, only string) error {
	deck, err := t.deck(breaks, only)
	if err != nil {
		return err
	}
	t.rig.lab.Begin()
	if err := t.rig.station.StartAgent(ctx); err != nil {
		return err
	}
	began := time.Now()
	step := float64(t.rig.docking.bytes()) / float64(len(deck)+1)
	for i, k := range deck {
		at := int64(step * (float64(i+1) + 0.8*t.random.Float64() - 0.4))
		if err := t.until(ctx, at); err != nil {
			return fmt.Errorf("before break %d of %d (%s): %w", i+1, len(deck), k.name, err)
		}
		if err := t.once(ctx, k); err != nil {
			return fmt.Errorf("break %d of %d (%s): %w", i+1, len(deck), k.name, err)
		}
	}
	if err := t.finish(ctx); err != nil {
		return err
	}
	say("%d breaks and %.1f GiB in %.0f s", len(deck), float64(t.rig.docking.bytes())/(1<<30), time.Since(began).Seconds())
	t.judge()
	return nil
}

// once breaks the transfer, mends it and waits until bytes move again.
func (t *trial) once(ctx context.Context, k kind) error {
	t.look()
	if err := k.do(ctx, t); err != nil {
		return err
	}
	over := time.Now()
	if err := t.restart(ctx); err != nil {
		return err
	}
	sent, held, err := t.moving(ctx, over)
	if err != nil {
		return err
	}
	row := t.result.row(k.name)
	row.add("on the link s", sent.Seconds())
	row.add("moving again s", held.Seconds())
	say("%s %s: a MiB on the link after %.1f s, held after %.1f s; %d MiB are held", over.Format("15:04:05"), k.name, sent.Seconds(), held.Seconds(), t.most>>20)
	if k.after != nil {
		return k.after(ctx, t)
	}
	return nil
}

// restart starts what has ended.
func (t *trial) restart(ctx context.Context) error {
	s := t.rig.station
	if !s.Ingest.Running() {
		if err := s.StartIngest(ctx); err != nil {
			return err
		}
	}
	if !s.Agent.Running() {
		return s.StartAgent(ctx)
	}
	return nil
}

// look asks the agent how much the server holds, and whether anything waits.
// An agent that does not answer has something waiting.
func (t *trial) look() (waiting int) {
	s, err := askAgent(t.rig.station)
	if err != nil {
		return 1
	}
	d := t.rig.docking
	held := int64(d.count()-s.waiting()) * d.FileBytes
	for _, transfer := range s.Server.Transfers {
		held += min(int64(transfer.Durable)<<20, d.FileBytes)
	}
	t.most = max(t.most, min(held, d.bytes()))
	t.carried = s.Server.Carried
	return s.waiting()
}

// until waits until the server holds so many bytes.
func (t *trial) until(ctx context.Context, bytes int64) error {
	before, since := t.most, time.Now()
	return t.poll(ctx, func() (bool, error) {
		if t.look() == 0 {
			return false, errors.New("all is sent already: fewer breaks, or more bytes")
		}
		if t.most > before {
			before, since = t.most, time.Now()
		}
		if time.Since(since) > standstill {
			return false, t.stuck()
		}
		return t.most >= bytes, nil
	})
}

// moving waits until the link has carried a chunk more than now, and a chunk more
// has become durable, and tells how long after a moment each was.
func (t *trial) moving(ctx context.Context, after time.Time) (sent, held time.Duration, err error) {
	before, c := t.carried, t.rig.carried()
	err = t.poll(ctx, func() (bool, error) {
		waiting, now := t.look(), t.rig.carried()
		held = time.Since(after)
		if held > standstill {
			return false, t.stuck()
		}
		if sent == 0 && (waiting == 0 || now.udp+now.tcp >= c.udp+c.tcp+chunk) {
			sent = held
		}
		if t.carried < before { // of an agent that was started since
			before = 0
		}
		return sent > 0 && t.carried >= before+chunk || waiting == 0, nil
	})
	return sent, held, err
}

func (t *trial) stuck() error {
	status, err := t.rig.station.Status(context.Background())
	return fmt.Errorf("nothing has moved for %v, with %d of %d bytes held; the dock says: %.2000s (%v)", standstill, t.most, t.rig.docking.bytes(), status, err)
}

func (t *trial) poll(ctx context.Context, done func() (bool, error)) error {
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.rig.station.Agent.Ended():
			return fmt.Errorf("the agent ended: %s", t.rig.station.Agent.Tail(5))
		case <-t.rig.station.Ingest.Ended():
			return fmt.Errorf("the server ended: %s", t.rig.station.Ingest.Tail(5))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// finish waits for the last receipt, has the cameras erased against them, and
// checks every promise, with the programs running and with the server stopped.
func (t *trial) finish(ctx context.Context) error {
	s := t.rig.station
	limited, cancel := context.WithTimeout(ctx, lastReceipts)
	defer cancel()
	if err := t.poll(limited, func() (bool, error) { return t.look() == 0, nil }); err != nil {
		return fmt.Errorf("waiting for the last receipts: %w", err)
	}
	t.sent = t.rig.carried()
	if err := plug(limited, s, t.rig.docking.Cameras); err != nil {
		return err
	}
	if err := station.Wait(limited, s.Drained); err != nil {
		return err
	}
	broken, err := s.Violations(limited)
	if err != nil {
		return err
	}
	rows, err := s.Rows(limited)
	if err != nil {
		return err
	}
	lost := 0
	for _, r := range rows {
		if r.Receipt == nil || r.Item.State != "stored" {
			lost++
			broken = append(broken, fmt.Sprintf("%s %s has no receipt (%v)", r.Camera.Serial, r.Recording.Path, r.Problem))
		}
	}
	if len(rows) != t.rig.docking.count() {
		broken = append(broken, fmt.Sprintf("there are %d recordings, not %d", len(rows), t.rig.docking.count()))
	}
	if err := s.Stop(limited); err != nil {
		return err
	}
	if report, err := s.Fsck(limited); err != nil {
		broken = append(broken, fmt.Sprintf("fsck: %v\n%s", err, report))
	}
	for _, b := range broken {
		say("BROKEN: %s", b)
	}
	told, err := toldTwice(s)
	if err != nil {
		return err
	}
	t.result.note("servers that were stopped in order had received %.1f MiB a second time, by their own count", told/chunk)
	t.result.atMost("recordings lost or without their receipt", 0, []float64{float64(lost)})
	t.result.atMost("promises broken", 0, []float64{float64(len(broken))})
	return nil
}

// toldTwice sums what servers said at their ends to have received a second time.
// Those that were killed said nothing.
func toldTwice(s *station.Station) (bytes float64, err error) {
	text, err := os.ReadFile(s.LogPath("ingest"))
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`segment_bytes_twice"?[=:](\d+)`).FindAllSubmatch(text, -1)
	if len(found) == 0 {
		return 0, errors.New("the server's log does not tell what came twice")
	}
	for _, m := range found {
		n, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return 0, err
		}
		bytes += n
	}
	return bytes, nil
}

// judge counts what was sent twice: what the link carried would have been enough
// for so much more than there was.
func (t *trial) judge() {
	all := t.result.row("all")
	for _, k := range kinds {
		times := t.result.look(k.name).Figures["moving again s"]
		if len(times) == 0 {
			continue
		}
		all.Figures["moving again s"] = append(all.Figures["moving again s"], times...)
		row := t.result.row(k.name)
		row.add("breaks", float64(len(times)))
		row.add("worst s", slices.Max(times))
		if k.name == noUDP {
			t.result.atMost("UDP dropped: seconds until it moves again, worst", 5, []float64{slices.Max(times)})
		}
	}
	breaks := len(all.Figures["moving again s"])
	twice := (t.price.worth(t.sent) - float64(t.rig.docking.bytes())) / chunk
	all.add("breaks", float64(breaks))
	all.add("worst s", slices.Max(all.Figures["moving again s"]))
	t.result.atMost("MiB sent twice for each break", 1, []float64{twice / float64(breaks)})
	t.result.note("%.1f MiB were sent twice in all, by the link's own count; %.0f MiB went over UDP at %.4f bytes for each of a recording, %.0f MiB over TCP at %.4f",
		twice, float64(t.sent.udp)/chunk, t.price.udp, float64(t.sent.tcp)/chunk, t.price.tcp)
}
