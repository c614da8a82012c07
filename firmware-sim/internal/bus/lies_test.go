package bus

import (
	"encoding/binary"
	"testing"

	"github.com/sealdock/sealdock/proto/camera/usbip"
)

func TestDescriptorsLieAsTold(t *testing.T) {
	configuration := func(l Lie) []byte {
		id := Identity{Class: 6, SubClass: 1, ProtocolOfClass: 1, Lie: l}
		return id.descriptor(descriptorConfiguration << 8)
	}
	whole := func(c []byte) int { return int(binary.LittleEndian.Uint16(c[2:])) }
	truth := configuration(Truthful)
	if whole(truth) != len(truth) {
		t.Fatalf("the true descriptor has %d bytes and says %d", len(truth), whole(truth))
	}
	if c := configuration(LieTotalLength); whole(c) != 65535 || len(c) != len(truth) {
		t.Errorf("%s: %d bytes", LieTotalLength, whole(c))
	}
	if c := configuration(LieZeroLength); c[18] != 0 || c[19] != 5 {
		t.Errorf("%s: %x", LieZeroLength, c)
	}
	if c := configuration(LieNoEndpoints); c[13] != 0 || len(c) != 18 || whole(c) != 18 {
		t.Errorf("%s: %x", LieNoEndpoints, c)
	}
	for lie, interfaces := range map[Lie]int{LieInterfaces: 255, LieMoreFunction: 4} {
		c := configuration(lie)
		found, own := 0, -1
		for rest := c; len(rest) > 0; rest = rest[rest[0]:] {
			if rest[1] == 4 {
				if rest[5] == 6 {
					own = int(rest[2])
				}
				found++
			}
		}
		if found != interfaces || int(c[4]) != interfaces || own != interfaces-1 || whole(c) != len(c) {
			t.Errorf("%s: %d interfaces, says %d, its own is %d, %d bytes of %d", lie, found, c[4], own, len(c), whole(c))
		}
		id := Identity{Class: 6, SubClass: 1, ProtocolOfClass: 1, Lie: lie}
		list, err := usbip.AppendDeviceList(nil, []usbip.Device{id.exported("1-1", 2)})
		if err != nil || len(list) == 0 {
			t.Errorf("%s cannot be listed: %v", lie, err)
		}
	}
}
