// Package receivetest is a dock for tests: it makes recordings with signed
// manifests and speaks proto/upload over real connections, well or badly.
//
// Only tests may import it. It keeps what it sends in memory.
package receivetest
