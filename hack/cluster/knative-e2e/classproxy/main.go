// Command classproxy runs a program that makes Knative Services, such as Knative's own
// end-to-end tests, and gives the Services an autoscaler class that the program does not
// name:
//
//	classproxy -kubeconfig FILE [-server URL] [-class CLASS] [-metric METRIC] -- PROGRAM ARGS...
//
// The program's KUBECONFIG leads to a proxy on this host, which passes everything on to the
// API server with the rights of the given kubeconfig. The exit status is the program's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "kubeconfig of the cluster")
	server := flag.String("server", "", "URL of the API server instead of the kubeconfig's")
	var w writer
	flag.StringVar(&w.class, "class", "", "autoscaler class to write; empty: change nothing")
	flag.StringVar(&w.metric, "metric", "", "metric to write where the program names none; empty: none")
	flag.Parse()
	err := run(*kubeconfig, *server, w, flag.Args())
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "classproxy:", err)
		os.Exit(2)
	}
}

func run(kubeconfig, server string, w writer, program []string) error {
	if len(program) == 0 {
		return errors.New("usage: classproxy [FLAGS] -- PROGRAM ARGS...")
	}
	config, err := clientcmd.BuildConfigFromFlags(server, kubeconfig)
	if err != nil {
		return err
	}
	handler, err := newProxy(config, w)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	go func() { _ = http.Serve(l, handler) }() // ends with the listener

	dir, err := os.MkdirTemp("", "classproxy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(path, []byte(plainKubeconfig(l.Addr().String())), 0o600); err != nil {
		return err
	}
	ctx, done := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer done()
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// newProxy passes requests on to the API server of config, rewritten by w.
func newProxy(config *rest.Config, w writer) (http.Handler, error) {
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	api, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("the API server's URL: %w", err)
	}
	proxy := httputil.NewSingleHostReverseProxy(api)
	proxy.Transport, proxy.FlushInterval = transport, -1 // watches are passed on line by line
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := w.rewrite(r); err != nil {
			http.Error(rw, "classproxy: "+err.Error(), http.StatusBadRequest)
			return
		}
		proxy.ServeHTTP(rw, r)
	}), nil
}

// plainKubeconfig is a kubeconfig without a user: the proxy has the rights.
func plainKubeconfig(address string) string {
	return `apiVersion: v1
kind: Config
clusters: [{name: proxy, cluster: {server: "http://` + address + `"}}]
users: [{name: none, user: {}}]
contexts: [{name: proxy, context: {cluster: proxy, user: none}}]
current-context: proxy
`
}
