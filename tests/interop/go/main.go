// Program zkgo is the Go client of the interop tests: the provider of a service (provider.go) and a tour through the
// client library (api.go). It speaks to the test by one JSON object per line on stdout, and ends cleanly on SIGTERM,
// on a line on stdin, or when stdin closes, so that no process outlives its test.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/samuel/go-zookeeper/zk"
)

type fields map[string]interface{}

var sayLock sync.Mutex

// say prints one line of the protocol; t is the wall clock in milliseconds.
func say(event string, more fields) {
	line := fields{"event": event, "t": time.Now().UnixNano() / int64(time.Millisecond)}
	for k, v := range more {
		line[k] = v
	}
	text, err := json.Marshal(line)
	if err != nil {
		log.Fatal(err)
	}
	sayLock.Lock()
	defer sayLock.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

type options struct {
	server, ca, cert, key string
	plain                 bool
	timeout               time.Duration
}

func (o *options) register(f *flag.FlagSet) {
	f.StringVar(&o.server, "server", "", "host:port")
	f.StringVar(&o.ca, "ca", "", "PEM file of the CA")
	f.StringVar(&o.cert, "cert", "", "PEM file of the client's certificate; empty: none is shown")
	f.StringVar(&o.key, "key", "", "PEM file of its key")
	f.BoolVar(&o.plain, "plain", false, "do not speak TLS")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "session timeout to ask for")
}

// dialer returns what zk.WithDialer wants: TLS with the client's certificate, the server's checked.
func (o *options) dialer() (zk.Dialer, error) {
	if o.plain {
		return net.DialTimeout, nil
	}
	pem, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in it", o.ca)
	}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, err
		}
		// Show it whatever CAs the server names: a foreign one must be refused by the server, not kept back here.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &pair, nil
		}
	}
	return func(network, address string, timeout time.Duration) (net.Conn, error) {
		return tls.DialWithDialer(&net.Dialer{Timeout: timeout}, network, address, config)
	}, nil
}

// dial opens a session; what happens to it goes to watch.
func (o *options) dial(watch zk.EventCallback) (*zk.Conn, error) {
	dialer, err := o.dialer()
	if err != nil {
		return nil, err
	}
	c, _, err := zk.Connect([]string{o.server}, o.timeout, zk.WithDialer(dialer), zk.WithEventCallback(watch))
	return c, err
}

// awaitStop returns a channel that closes when the test wants an end.
func awaitStop() <-chan struct{} {
	stop := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	input := make(chan struct{})
	go func() {
		bufio.NewReader(os.Stdin).ReadString('\n')
		close(input)
	}()
	go func() {
		select {
		case <-signals:
		case <-input:
		}
		close(stop)
	}()
	return stop
}

func main() {
	log.SetFlags(log.Lmicroseconds)
	if len(os.Args) < 2 {
		log.Fatal("usage: zkgo provider|api ...")
	}
	var err error
	switch os.Args[1] {
	case "provider":
		err = runProvider(os.Args[2:])
	case "api":
		err = runAPI(os.Args[2:])
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}
