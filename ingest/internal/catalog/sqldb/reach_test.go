package sqldb

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPostgreSQLThatDoesNotAnswerIsNamedInOneLine(t *testing.T) {
	_, err := Open(t.Context(), "postgres://sealdock:hunter2@127.0.0.1:1/evidence", time.Now)
	if err == nil {
		t.Fatal("it was opened")
	}
	text := err.Error()
	if !strings.Contains(text, "reaching PostgreSQL at 127.0.0.1:1, database evidence: ") || strings.ContainsAny(text, "\n\t") || strings.Contains(text, "hunter2") {
		t.Errorf("it says %q", text)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the cause is lost: %v", err)
	}
}
