package upload

// Codes that end a connection or reset a stream (SPEC.md section 8). What went
// wrong is told by an Error frame before; these only say whether to expect one.
const (
	EndNormal    uint64 = 0 // all was said
	EndProtocol  uint64 = 1 // the peer broke the protocol
	EndRefused   uint64 = 2 // refused: an Error frame says why
	EndGoingAway uint64 = 3 // this side shuts down: connect again
)
