package throttle

import (
	"strconv"
	"testing"
	"time"
)

func TestAFloodFromEverywhereTakesBoundedMemory(t *testing.T) {
	var m Meter
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for n := range 3 * maxKeys {
		if m.Ask(strconv.Itoa(n), 60, at) != 0 {
			t.Fatal("the first request of somebody has to wait")
		}
	}
	if len(m.seen) > maxKeys {
		t.Errorf("%d are counted", len(m.seen))
	}
}

func TestAnIPv6NetworkIsOneSource(t *testing.T) {
	if Place("2001:db8::1") != Place("2001:db8::ffff") || Place("2001:db8:0:1::1") == Place("2001:db8::1") || Place("::ffff:192.0.2.7") != Place("192.0.2.7") {
		t.Error("places are told apart wrongly")
	}
}
