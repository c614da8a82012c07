package daemon

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTheLoopThatIsFurthestBehindCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := turns{now: time.Now}
		if !all.oldest().Equal(time.Now()) {
			t.Error("without a loop nothing is behind")
		}
		first, second := all.loop(), all.loop()
		began := time.Now()
		<-time.After(time.Minute)
		first()
		if !all.oldest().Equal(began) {
			t.Error("the second loop stands still and does not count")
		}
		second()
		if !all.oldest().Equal(time.Now()) {
			t.Error("both went round")
		}
	})
}
