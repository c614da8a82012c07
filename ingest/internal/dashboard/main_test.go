package dashboard_test

import (
	"os"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/closed"
)

func TestMain(m *testing.M) {
	closed.Enter() // clips are made by a program that is shut in
	os.Exit(m.Run())
}
