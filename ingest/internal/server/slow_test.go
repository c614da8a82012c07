package server

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory, so that time is virtual.
type pipes struct {
	come chan net.Conn
	done chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.come:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// Case 48: a body that dribbles in, and an answer that nobody takes, end; who
// keeps on reading is served for as long as it takes.
func TestSlowClientsAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, wrote := make(chan error, 1), make(chan error, 1)
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/live" {
				for range 100 { // 100 minutes
					<-time.After(time.Minute)
					io.WriteString(w, ".")
					w.(http.Flusher).Flush()
				}
				return
			}
			_, err := io.ReadAll(r.Body)
			read <- err
			if r.URL.Path == "/big" {
				_, err = w.Write(make([]byte, 1<<20))
				wrote <- err
			}
		})
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{Handler: cutSlow(handler), ReadHeaderTimeout: 10 * time.Second}
		go server.Serve(l)
		defer server.Close()
		dial := func(request string) net.Conn {
			ours, theirs := net.Pipe()
			l.come <- theirs
			go io.WriteString(ours, request)
			return ours
		}
		began := time.Now()
		slow := dial("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx")
		if err := <-read; err == nil || time.Since(began) != bodyTime {
			t.Errorf("a slow body ended after %s: %v", time.Since(began), err)
		}
		slow.Close()
		began = time.Now()
		deaf := dial("POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
		if err := <-read; err != nil {
			t.Error(err)
		}
		if err := <-wrote; err == nil || time.Since(began) != takeTime {
			t.Errorf("an answer that nobody takes ended after %s: %v", time.Since(began), err)
		}
		deaf.Close()
		live := dial("GET /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		all, err := io.ReadAll(live)
		if err != nil || strings.Count(string(all), "\r\n.\r\n") != 100 {
			t.Errorf("%d of 100 parts, %v", strings.Count(string(all), "\r\n.\r\n"), err)
		}
		began = time.Now()
		headers := dial("GET / HTTP/1.1\r\nHost: a\r\n")
		headers.Read(make([]byte, 1))
		if since := time.Since(began); since != 10*time.Second {
			t.Errorf("slow headers ended after %s", since)
		}
		headers.Close()
	})
}
