package wire

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAReaderRestsOnlyWhileBulkComesInOneByOne(t *testing.T) {
	for name, c := range map[string]struct {
		pause time.Duration // between reads
		alone int           // packets of bulk that each brings
		rests bool
	}{
		"100 Mbit/s":            {117 * time.Microsecond, 1, true},
		"20 Mbit/s":             {583 * time.Microsecond, 1, true},
		"5 Mbit/s":              {2400 * time.Microsecond, 1, false},
		"joined by the kernel":  {100 * time.Microsecond, 0, false},
		"a burst now and again": {100 * time.Millisecond, 16, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l lull
				asleep := time.Duration(0)
				for range 1000 {
					before := time.Now()
					l.rest()
					rested := time.Since(before)
					asleep += rested
					<-time.After(c.pause)
					l.note(c.alone*int(1+rested/c.pause), time.Now())
				}
				if (asleep > 0) != c.rests {
					t.Errorf("rested for %v", asleep)
				}
			})
		})
	}
}

func TestALullEndsWithTheBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lull
		for range 300 {
			l.rest()
			<-time.After(100 * time.Microsecond)
			l.note(1+int(lullTime/(100*time.Microsecond)), time.Now())
		}
		if !l.on {
			t.Fatal("no lull at all")
		}
		<-time.After(time.Second)
		l.note(1, time.Now())
		if l.on {
			t.Error("a lull after a second of silence")
		}
	})
}
