// Package tlogtest holds an in-memory log storage for tests. Only tests import it.
package tlogtest
