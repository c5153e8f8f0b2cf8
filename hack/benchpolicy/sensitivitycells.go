package main

import "strings"

// sensitivityCell is one short load that the numbers of the policy are measured on.
type sensitivityCell struct {
	name string
	// what the cell exercises, for the documents.
	what string
	// args are those of simulate; ROOT and TRACES stand for folders.
	args   string
	policy string
}

// sensitivityCells use most of the policy, with one seed each: a rise, noise and slow starts, and
// what a fleet in the field adds. Those with TRACES are left out without the published traces.
func sensitivityCells() []sensitivityCell {
	const ramp, backlog = "--synthetic ramp ", "ipa:metric=num_requests_waiting=5"
	return []sensitivityCell{
		{"rise", "2 to 40 requests/s and back in an hour", ramp + "--scale 2", ours},
		{"noise", "40 min with bursts to 48 requests/s", "--synthetic burst --scale 2 --to 40m", ours},
		{"slow starts", "an hour with steps of four times, pods take 5 min +- 50 %", "--synthetic step --scale 2 --lead 5m --lead-cv 0.5", ours},
		{"long prompts", "an hour of 12,000 tokens, 200 us each", "--synthetic longprompt --slo-ttft-per-token 200us", ours},
		{"failures", "eight tenants, pods fail each 20 min, 20 % of the readings too", "--synthetic tenants --scale 2 --failures 20m --scrape-loss 0.2", ours},
		{"batches", "rise on L40S, 4 prompts a request, half hang up, 3 tokens a step", ramp + "--engine l40s-llama-3.1-8b --prompts-per-request 4 --abort 0.5 --tokens-per-step 3", ours},
		{"small cache", "rise on RTX 4090 (41,408 tokens), 2 ranks, 20 GPUs", ramp + "--scale 2 --engine rtx4090-llama-3.1-8b --ranks 2 --gpus 20", ours},
		{"unequal ranks", "rise, 2 ranks, three quarters of a pod's requests go to one", ramp + "--scale 2 --ranks 2 --rank-skew 0.75", ours},
		{"16 at once", "rise with --max-num-seqs 16, 20 other requests/s", ramp + "--other-requests 20 --engine ROOT/hack/benchpolicy/testdata/sixteen.json", ours},
		{"other bursts", "noise, 50 other requests/s for 20 s of every 5 min", "--synthetic burst --scale 2 --to 40m --other-requests 50 --other-requests-for 20s", ours},
		{"hang-ups", "rise, a fifth of the clients hang up at the first token", ramp + "--scale 2 --abort 0.2 --abort-within 0", ours},
		{"backlog", "rise, scaled on num_requests_waiting=5", ramp + "--scale 2", backlog},
		{"backlog noise", "noise, scaled on num_requests_waiting=5", "--synthetic burst --scale 2 --to 40m", backlog},
		{"azure conv", "Azure's conversations of 2023, 8 times, an hour", "--trace TRACES/azure2023_conv.csv --scale 8", ours},
	}
}

// call is the arguments of simulate.
func (c sensitivityCell) call(root, traces string) []string {
	args := strings.NewReplacer("ROOT/", root+"/", "TRACES/", traces+"/").Replace(c.args)
	return append(strings.Fields(args), "--policy", c.policy, "--parallel", "1")
}
