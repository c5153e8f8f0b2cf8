// Command hello is the plain web service of the end-to-end tests. It answers every request with
// its host name, after ?sleep=DURATION when asked, and speaks HTTP/1.1 on $PORT (8080).
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	host, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if d, err := time.ParseDuration(r.URL.Query().Get("sleep")); err == nil {
			time.Sleep(d)
		}
		fmt.Fprintf(w, "hello from %s path %s host %s\n", host, r.URL.Path, r.Host)
	})
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
