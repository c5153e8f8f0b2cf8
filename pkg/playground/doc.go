// Package playground shows the product without a cluster and without root.
//
// A simulated fleet (pkg/simulator) runs in real time. Its pods have real HTTP
// pages, an engine's and a queue-proxy's, which the real collector scrapes; the
// real decision loop (pkg/multiscaler) decides on what it read, and pods come
// and go accordingly. The custom metrics API answers on localhost. A page shows
// demand, signals, wants and replicas as they change, and the reasons of every
// decision; its controls change the load, the objective and the policy.
//
// Faster than real time there is nothing to scrape: then the fleet's own
// observations go to the same policies on the simulated clock, and the page
// says so.
package playground
