// The servers of go-zookeeper's own tests: one of ours where the library's test helper would start a Java ensemble.
//
// go_suite.py puts this file, and samuel.go or maintained.go with what differs between the two libraries of that name,
// beside a copy of the library, in place of the two files that start ZooKeeper from a jar. What the tests call is the
// same. A cluster is one standalone server; more cannot be had. Servers that a test
// stops really stop, and start again from what is on their disk. The environment says what to start:
//
//	SUITE_DIRECTORY  where the servers live
//	SUITE_SERVER     JSON: "command", in which CONFIG stands for the path of the configuration, and "config"
package zk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	suiteStartDeadline = 60 * time.Second
	suiteStopDeadline  = 30 * time.Second
	suitePoll          = 20 * time.Millisecond
)

var errSeveralServers = errors.New("a test that needs several servers")

// Server is a process that can be ended and started again.
type Server struct {
	address string
	config  string
	command []string
	process *exec.Cmd
}

// TestServer is a server of a cluster.
type TestServer struct {
	Port int
	Path string
	Srv  *Server
}

// TestCluster holds one server.
type TestCluster struct {
	Servers []TestServer
	Config  ServerConfig
}

// ServerConfig is what tests of several servers write down; none comes so far as to use it.
type ServerConfig struct {
	ClientPort int
	DataDir    string
	Servers    []ServerConfigServer
}

// ServerConfigServer is a member of an ensemble.
type ServerConfigServer struct {
	ID                 int
	Host               string
	PeerPort           int
	LeaderElectionPort int
}

type suiteStart struct {
	process *exec.Cmd
	done    chan error
}

var suiteStarts = make(chan suiteStart)

// Servers end with the thread that started them: it must live as long as the tests.
func init() {
	go func() {
		runtime.LockOSThread()
		for start := range suiteStarts {
			start.done <- start.process.Start()
		}
	}()
}

// startCluster gives a cluster whose server answers.
func startCluster(size int) (*TestCluster, error) {
	if size != 1 {
		return nil, errSeveralServers
	}
	path, err := os.MkdirTemp(os.Getenv("SUITE_DIRECTORY"), "server-")
	if err != nil {
		return nil, err
	}
	server, port, err := newServer(path)
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	cluster := &TestCluster{Servers: []TestServer{{Port: port, Path: path, Srv: server}}}
	if err := server.waitReady(); err != nil {
		cluster.Stop()
		return nil, err
	}
	return cluster, nil
}

func newServer(path string) (*Server, int, error) {
	var what struct {
		Command []string
		Config  string
	}
	if err := json.Unmarshal([]byte(os.Getenv("SUITE_SERVER")), &what); err != nil {
		return nil, 0, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, 0, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	server := &Server{address: fmt.Sprintf("127.0.0.1:%d", port), config: filepath.Join(path, "zoo.cfg")}
	for _, word := range what.Command {
		server.command = append(server.command, strings.Replace(word, "CONFIG", server.config, 1))
	}
	data := filepath.Join(path, "data")
	if err := os.Mkdir(data, 0700); err != nil {
		return nil, 0, err
	}
	text := fmt.Sprintf("%sdataDir=%s\nclientPort=%d\n", what.Config, data, port)
	return server, port, os.WriteFile(server.config, []byte(text), 0600)
}

// Start starts the process; it may not answer yet.
func (s *Server) Start() error {
	log, err := os.OpenFile(filepath.Join(filepath.Dir(s.config), "server.log"),
		os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.process = exec.Command(s.command[0], s.command[1:]...)
	s.process.Stdout, s.process.Stderr = log, log
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	done := make(chan error)
	suiteStarts <- suiteStart{s.process, done}
	return <-done
}

// Stop kills it, as the library's own helper does.
func (s *Server) Stop() error {
	s.process.Process.Kill()
	return s.process.Wait()
}

// end asks it to end, and prints how it did: go_suite.py reads that.
func (s *Server) end() error {
	s.process.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(suiteStopDeadline, func() { s.process.Process.Kill() })
	defer late.Stop()
	err := s.process.Wait()
	fmt.Printf("\nserver ended: %s\n", s.process.ProcessState)
	return err
}

func (s *Server) waitReady() error {
	for end := time.Now().Add(suiteStartDeadline); time.Now().Before(end); time.Sleep(suitePoll) {
		if answer, err := fourLetterWord(s.address, "srvr", 2*time.Second); err == nil &&
			strings.Contains(string(answer), "Mode: ") {
			return nil
		}
	}
	return fmt.Errorf("%s does not answer", s.command[0])
}

func (tc *TestCluster) connectTo(index int) (*Conn, <-chan Event, error) {
	return Connect([]string{tc.Servers[index].Srv.address}, 15*time.Second)
}

// ConnectAll is a client of all servers, with its events.
func (tc *TestCluster) ConnectAll() (*Conn, <-chan Event, error) {
	return tc.ConnectAllTimeout(15 * time.Second)
}

// ConnectAllTimeout does so with a session timeout.
func (tc *TestCluster) ConnectAllTimeout(timeout time.Duration) (*Conn, <-chan Event, error) {
	return tc.ConnectWithOptions(timeout)
}

// ConnectWithOptions does so with options of the client.
func (tc *TestCluster) ConnectWithOptions(timeout time.Duration, options ...connOption) (*Conn, <-chan Event, error) {
	var addresses []string
	for _, server := range tc.Servers {
		addresses = append(addresses, server.Srv.address)
	}
	return Connect(addresses, timeout, options...)
}

// Stop ends the cluster for good.
func (tc *TestCluster) Stop() error {
	var first error
	for _, server := range tc.Servers {
		if err := server.Srv.end(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// StartServer starts the server of that address again.
func (tc *TestCluster) StartServer(address string) {
	tc.find(address).Start()
}

// StopServer kills the server of that address.
func (tc *TestCluster) StopServer(address string) {
	tc.find(address).Stop()
}

func (tc *TestCluster) find(address string) *Server {
	for _, server := range tc.Servers {
		if server.Srv.address == address {
			return server.Srv
		}
	}
	panic("no server at " + address)
}

// StartAllServers starts those that were stopped.
func (tc *TestCluster) StartAllServers() error {
	for _, server := range tc.Servers {
		if err := server.Srv.Start(); err != nil {
			return err
		}
	}
	return nil
}

// StopAllServers kills them.
func (tc *TestCluster) StopAllServers() error {
	for _, server := range tc.Servers {
		if err := server.Srv.Stop(); err != nil {
			return err
		}
	}
	return nil
}
