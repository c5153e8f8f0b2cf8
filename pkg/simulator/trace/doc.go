// Package trace makes the requests of a simulation: from published traces,
// from rate curves, and from a generator of its own.
//
//	azure     CSV: TIMESTAMP, ContextTokens, GeneratedTokens (2023 and 2024)
//	burstgpt  CSV: Timestamp (s), Request tokens, Response tokens; 0 response tokens are failures, left out
//	vidur     CSV: arrived_at (s), num_prefill_tokens, num_decode_tokens
//	mooncake  JSON lines: timestamp (ms; s where there is a turn or chat_id, as Qwen-Bailian has), input_length, output_length, hash_ids
//	rate      CSV: t_s with rpm, rpm_mid or rate_rps; optionally mean_input_tokens, mean_output_tokens, cv
//	csv       any CSV whose columns Options.Columns names
//
// All are sequences: a file is read, and a curve is turned into requests,
// while the simulation asks for them, so 27 million need no memory. Times
// begin at 0 with the first row. The same file, options and seed give the
// same requests on every machine.
//
// A rate curve is linear between its rows. Requests come as a renewal process
// whose gaps have the coefficient of variation cv (1 is Poisson) in units of
// the mean gap at that moment. Input and output lengths are drawn apart from
// each other, so a correlation between them is lost.
package trace
