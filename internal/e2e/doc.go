// Package e2e holds tests only: the built programs as processes on real
// sockets and a real file system, killed, unplugged, filled up and lied to,
// with the simulator's book as the judge of what must still hold.
package e2e
