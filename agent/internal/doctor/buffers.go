package doctor

import (
	"context"
	"fmt"

	"github.com/sealdock/sealdock/agent/internal/service"
)

func buffers(_ context.Context, s *Station) []Finding {
	b, err := s.Buffers()
	if err != nil {
		return one(unknown("What socket buffers the agent gets cannot be told.", err))
	}
	for _, side := range []struct {
		what, sysctl string
		got          int
	}{{"receive", "net.core.rmem_max", b.Receive}, {"send", "net.core.wmem_max", b.Send}} {
		if side.got < b.Wanted {
			return one(warn(fmt.Sprintf("The agent asks for a UDP %s buffer of %d bytes and gets %d: on a fast link packets are lost and sent again.", side.what, b.Wanted, side.got),
				fmt.Sprintf("Run sealdock-agent install as root, or set %s = %d in %s, and restart the agent.", side.sysctl, b.Wanted, service.LimitFile)))
		}
	}
	return one(fine(fmt.Sprintf("UDP buffers are as large as the agent wants (%d bytes).", b.Wanted)))
}
