package lanes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
)

// pipe is a session and its one stream: what is written is sent at the link's
// rate, with headers, and again where it is lost. It takes room bytes ahead.
type pipe struct {
	Session
	link     float64 // IP bytes a second; 0: at once
	overhead float64 // IP bytes for each byte written
	room     int

	mu      sync.Mutex
	written float64 // IP bytes
	began   time.Time
	sent    float64 // of what began when began was set
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	p.advance()
	p.written += float64(len(b)) * p.overhead
	ahead := p.written - p.sent - float64(p.room)
	p.mu.Unlock()
	if p.link > 0 && ahead > 0 {
		<-time.After(time.Duration(ahead / p.link * 1e9))
	}
	return len(b), nil
}

func (p *pipe) advance() {
	now := time.Now()
	if p.link == 0 {
		p.sent = p.written
	} else {
		p.sent = min(p.written, p.sent+now.Sub(p.began).Seconds()*p.link)
	}
	p.began = now
}

func (p *pipe) Traffic() wire.Traffic {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance()
	return wire.Traffic{SentBytes: uint64(p.sent)}
}

// pumps makes a lane for each pipe and keeps it writing until the test ends.
func pumps(t *testing.T, pipes ...*pipe) *Lanes {
	ctx, cancel := context.WithCancel(t.Context())
	l := New(Options{})
	var group sync.WaitGroup
	t.Cleanup(func() { cancel(); group.Wait(); l.limit.stop() })
	for _, p := range pipes {
		p.began = time.Now()
		l.limit.add(p)
		lane := &Lane{all: l}
		group.Go(func() {
			segment := make([]byte, 1<<20)
			for {
				if _, err := lane.Write(ctx, p, segment, false); err != nil {
					return
				}
			}
		})
	}
	return l
}

func sum(pipes []*pipe) (n float64) {
	for _, p := range pipes {
		n += float64(p.Traffic().SentBytes)
	}
	return n
}

const mbit = 1e6 / 8

func TestEveryMinuteKeepsTheLimitWithin3Percent(t *testing.T) {
	for _, rate := range []float64{2 * mbit, 20 * mbit, 200 * mbit} {
		for name, pipes := range map[string]func() []*pipe{
			"one lane":              func() []*pipe { return []*pipe{{overhead: 1.042}} },
			"retransmissions":       func() []*pipe { return []*pipe{{overhead: 1.12}} },
			"four with buffers":     func() []*pipe { return many(4, 1.04, 2*rate, 256<<10) },
			"sixteen":               func() []*pipe { return many(16, 1.05, rate, 0) },
			"one slow of two lanes": func() []*pipe { return []*pipe{{overhead: 1.05, link: rate / 10}, {overhead: 1.04}} },
		} {
			t.Run(fmt.Sprintf("%.0f Mbit/s, %s", rate/mbit, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					all := pipes()
					l := pumps(t, all...)
					l.SetLimit(true, uint64(rate))
					before := sum(all)
					const step, steps = 100 * time.Millisecond, 1800
					var sent [steps + 1]float64
					for i := range sent {
						sent[i] = sum(all) - before
						<-time.After(step)
					}
					for i := 600; i <= steps; i++ {
						if share := (sent[i] - sent[i-600]) / (rate * 60); share < 0.97 || share > 1.03 {
							t.Fatalf("in the minute before %v the lanes sent %.3f of the limit", time.Duration(i)*step, share)
						}
					}
				})
			})
		}
	}
}

func many(n int, overhead, link float64, room int) []*pipe {
	all := make([]*pipe, n)
	for i := range all {
		all[i] = &pipe{overhead: overhead, link: link, room: room}
	}
	return all
}

func TestALimitHoldsAcrossChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := many(3, 1.045, 40*mbit, 64<<10)
		l := pumps(t, all...)
		<-time.After(10 * time.Second)
		if free := sum(all); free < 0.99*3*40*mbit*10 {
			t.Errorf("without a limit %.0f bytes went in 10 s", free)
		}
		before, allowed := sum(all), 0.0
		for i, rate := range []float64{20, 2, 50, 5, 20, 0.5, 8, 2, 30, 10, 1, 40} {
			l.SetLimit(true, uint64(rate*mbit))
			<-time.After(time.Duration(i%3+1) * 4 * time.Second)
			allowed += rate * mbit * float64(i%3+1) * 4
		}
		if share := (sum(all) - before) / allowed; share < 0.97 || share > 1.03 {
			t.Errorf("the lanes sent %.3f of what the limits together allow", share)
		}
	})
}

func TestALimitOfNothingHoldsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := many(2, 1.04, 50*mbit, 0)
		l := pumps(t, all...)
		<-time.After(time.Second)
		l.SetLimit(true, 0)
		<-time.After(100 * time.Millisecond)
		before := sum(all)
		<-time.After(time.Hour)
		if after := sum(all); after != before {
			t.Errorf("%.0f bytes went under a limit of nothing", after-before)
		}
		l.SetLimit(true, 1e6)
		<-time.After(10 * time.Second)
		if went := sum(all) - before; went < 0.97e7 || went > 1.03e7 {
			t.Errorf("after it %.0f bytes went in 10 s, want 10 million", went)
		}
		l.SetLimit(false, 0)
		before = sum(all)
		<-time.After(10 * time.Second)
		if went := sum(all) - before; went < 0.99*100*mbit*10 {
			t.Errorf("without a limit %.0f bytes went in 10 s", went)
		}
	})
}

func TestALimitTakesHoldWithin100Milliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := many(2, 1.04, 10*mbit, 0)
		l := pumps(t, all...)
		<-time.After(3 * time.Second)
		l.SetLimit(true, 0)
		<-time.After(150 * time.Millisecond)
		before := sum(all)
		<-time.After(time.Second)
		if went := sum(all) - before; went > 0 {
			t.Errorf("%.0f bytes went", went)
		}
	})
}

func TestAnUrgentPieceWaitsForOneOtherAtMost(t *testing.T) {
	for _, rate := range []float64{2 * mbit, 20 * mbit} {
		synctest.Test(t, func(t *testing.T) {
			all := many(16, 1.04, 0, 0)
			l := pumps(t, all...)
			l.SetLimit(true, uint64(rate))
			urgent := &pipe{overhead: 1.04, began: time.Now()}
			l.limit.add(urgent)
			for range 50 {
				<-time.After(777 * time.Millisecond)
				began := time.Now()
				if _, err := (&Lane{all: l}).Write(t.Context(), urgent, make([]byte, 1000), true); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > 50*time.Millisecond {
					t.Errorf("at %.0f Mbit/s an urgent piece waited %v", rate/mbit, took)
				}
			}
		})
	}
}

func TestLanesShareALimitAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := many(5, 1.04, 0, 0)
		l := pumps(t, all...)
		l.SetLimit(true, uint64(10*mbit))
		whole, before := -sum(all), make([]float64, len(all))
		for i, p := range all {
			before[i] = float64(p.Traffic().SentBytes)
		}
		<-time.After(20 * time.Second)
		whole += sum(all)
		for i, p := range all {
			if share := (float64(p.Traffic().SentBytes) - before[i]) / whole; share < 0.19 || share > 0.21 {
				t.Errorf("lane %d got %.3f", i, share)
			}
		}
	})
}

func TestWhatPassesTheLimitByIsPaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bulk, control := &pipe{overhead: 1.04}, &pipe{overhead: 1}
		l := pumps(t, bulk)
		l.limit.add(control)
		l.SetLimit(true, 1e6)
		for range 600 {
			if _, err := control.Write(make([]byte, 20000)); err != nil {
				t.Fatal(err)
			}
			<-time.After(100 * time.Millisecond)
		}
		if whole := sum([]*pipe{bulk, control}); whole < 0.97*60e6 || whole > 1.03*60e6 {
			t.Errorf("%.0f bytes went in a minute, want 60 million", whole)
		}
		l.limit.remove(control) // what it sent stays counted
		before := sum([]*pipe{bulk})
		<-time.After(time.Minute)
		if went := sum([]*pipe{bulk}) - before; went < 0.97*60e6 || went > 1.03*60e6 {
			t.Errorf("after the other's end %.0f bytes went in a minute, want 60 million", went)
		}
	})
}

func TestAWriteThatWaitsEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{})
		defer l.limit.stop()
		l.SetLimit(true, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		n, err := (&Lane{all: l}).Write(ctx, io.Discard, make([]byte, 10), false)
		if n != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
		if l.limit.held() {
			t.Error("a write that has ended still waits")
		}
		l.SetLimit(true, 1e6)
		if _, err := (&Lane{all: l}).Write(t.Context(), io.Discard, make([]byte, 10), false); err != nil {
			t.Error(err)
		}
	})
}
