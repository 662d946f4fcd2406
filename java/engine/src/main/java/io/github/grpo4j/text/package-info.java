/**
 * Text in, token ids out, and back: Hugging Face's tokenizers and the chat templates that come with a model.
 *
 * <p>A model directory is untrusted input. Its tokenizer is checked before native code sees it, its template runs in a sandbox.
 */
package io.github.grpo4j.text;
