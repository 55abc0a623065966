package redistest

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
)

// Fate is what a Proxy does with a request.
type Fate int

// The fates.
const (
	Pass      Fate = iota // pass it on, and the reply back
	Cut                   // break the connection without passing it on
	DropReply             // pass it on, wait for the reply, then break the connection
	Swallow               // pass it on and withhold the reply; the connection stays
)

// Proxy stands between a client and a server, and treats each request, which is what the client sends
// before it waits: one command or one pipeline.
type Proxy struct {
	Addr string

	target string
	mu     sync.Mutex
	count  int
	script func(request string) Fate
}

// NewProxy starts a proxy in front of the server at target that passes everything on, and ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: listener.Addr().String(), target: target}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

// Script sets what happens from the next request on; nil passes everything on.
func (p *Proxy) Script(script func(request string) Fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script = script
}

// Once is a script that treats the first request that contains text in a way, after do (if not nil), and
// passes the others on.
func Once(text string, fate Fate, do func()) func(string) Fate {
	return func(request string) Fate {
		if text == "" || !strings.Contains(request, text) {
			return Pass
		}
		text = ""
		if do != nil {
			do()
		}
		return fate
	}
}

// Requests is how many requests have arrived.
func (p *Proxy) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// serve treats the requests of one connection, one after another.
func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	requests, replies := make([]byte, 1<<20), make([]byte, 1<<20)
	fates := make(chan Fate, 1024)
	go func() {
		defer client.Close()
		fate := Pass
		for {
			n, err := server.Read(replies)
			if err != nil {
				return
			}
			select {
			case fate = <-fates:
			default: // more of the reply before
			}
			switch fate {
			case DropReply:
				return
			case Swallow:
			default:
				if _, err := client.Write(replies[:n]); err != nil {
					return
				}
			}
		}
	}()
	for {
		n, err := client.Read(requests)
		if err != nil {
			return
		}
		fate := p.ask(requests[:n])
		if fate == Cut {
			return
		}
		fates <- fate
		if _, err := server.Write(requests[:n]); err != nil {
			return
		}
	}
}

// ask puts a request to the script.
func (p *Proxy) ask(request []byte) Fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	if p.script == nil {
		return Pass
	}
	return p.script(string(bytes.ToLower(request)))
}
