"""The gated delta rule for training: chunked forward and backward passes in Triton.

Per head, with a state S of [key, value], for every token t:

    S <- exp(g_t) S
    S <- S + k_t (beta_t (v_t - S^T k_t))^T
    o_t = S^T q_t

Within a chunk of C tokens the corrections of the values depend on each other by a triangular
system. With G the cumulative sum of g, A[i, j] = beta_i exp(G_i - G_j) k_i . k_j below diagonal,
and S the state before the chunk, the corrected values are

    v' = (I + A)^-1 (beta (v - exp(G) S^T k))

so that a chunk is a handful of matrix products. Tensors are [batch, tokens, heads, dim]; each key
head serves value_heads / key_heads neighbouring value heads. The number of tokens is a multiple of
CHUNK.
"""

import torch
import triton
import triton.language as tl

CHUNK = 64
BACKWARD_WARPS = 4


@triton.jit
def _inverse_kernel(
    k_ptr,
    g_ptr,
    beta_ptr,
    G_ptr,
    inverse_ptr,
    T,
    n_chunks,
    HK: tl.constexpr,
    HV: tl.constexpr,
    D: tl.constexpr,
    C: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Writes G and (I + A)^-1 of one chunk and head.

    A strictly lower triangular matrix N of 16 x 16 is nilpotent: (I + N)^-1 is the product of
    (I - N)(I + N^2)(I + N^4)(I + N^8). The diagonal blocks are inverted so (X), and then
    (I + A) = (I + blocks)(I + M) with M = X times the rest, which is nilpotent in 4 blocks.
    """
    chunk = tl.program_id(0)
    head_index = tl.program_id(1)
    batch = head_index // HV
    head = head_index % HV
    key_head = head // (HV // HK)
    i = tl.arange(0, C)
    d = tl.arange(0, D)
    t = batch * T + chunk * C + i

    k = tl.load(k_ptr + (t[:, None] * HK + key_head) * D + d[None, :])
    g = tl.load(g_ptr + t * HV + head)
    beta = tl.load(beta_ptr + t * HV + head)
    G = tl.cumsum(g, 0)
    tl.store(G_ptr + t * HV + head, G)

    decay = tl.exp(tl.minimum(G[:, None] - G[None, :], 0.0))
    A = tl.dot(k, tl.trans(k)) * beta[:, None] * decay
    A = tl.where(i[:, None] > i[None, :], A, 0.0)
    same_block = (i[:, None] // 16) == (i[None, :] // 16)
    N = tl.where(same_block, A, 0.0)
    rest = A - N
    eye = tl.where(i[:, None] == i[None, :], 1.0, 0.0)

    N2 = tl.dot(N, N, input_precision=PRECISION)
    X = tl.dot(eye - N, eye + N2, input_precision=PRECISION)
    N4 = tl.dot(N2, N2, input_precision=PRECISION)
    X = tl.dot(X, eye + N4, input_precision=PRECISION)
    N8 = tl.dot(N4, N4, input_precision=PRECISION)
    X = tl.dot(X, eye + N8, input_precision=PRECISION)

    M = tl.dot(X, rest, input_precision=PRECISION)
    M2 = tl.dot(M, M, input_precision=PRECISION)
    Y = tl.dot(eye - M, eye + M2, input_precision=PRECISION)
    inverse = tl.dot(Y, X, input_precision=PRECISION)
    out = inverse_ptr + (head_index * n_chunks + chunk) * C * C
    tl.store(out + i[:, None] * C + i[None, :], inverse.to(tl.bfloat16))


@triton.jit
def _forward_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    G_ptr,
    beta_ptr,
    inverse_ptr,
    o_ptr,
    states_ptr,
    v_new_ptr,
    T,
    n_chunks,
    HK: tl.constexpr,
    HV: tl.constexpr,
    D: tl.constexpr,
    C: tl.constexpr,
):
    """Walks over the chunks of one head; keeps the state before each one for the backward pass."""
    head_index = tl.program_id(0)
    batch = head_index // HV
    head = head_index % HV
    key_head = head // (HV // HK)
    i = tl.arange(0, C)
    d = tl.arange(0, D)
    S = tl.zeros([D, D], dtype=tl.float32)
    for chunk in range(n_chunks):
        t = batch * T + chunk * C + i
        key_at = (t[:, None] * HK + key_head) * D + d[None, :]
        value_at = (t[:, None] * HV + head) * D + d[None, :]
        state_at = (head_index * n_chunks + chunk) * D * D + d[:, None] * D + d[None, :]
        inverse_at = (head_index * n_chunks + chunk) * C * C + i[:, None] * C + i[None, :]

        S16 = S.to(tl.bfloat16)
        tl.store(states_ptr + state_at, S16)
        k = tl.load(k_ptr + key_at)
        v = tl.load(v_ptr + value_at).to(tl.float32)
        G = tl.load(G_ptr + t * HV + head)
        beta = tl.load(beta_ptr + t * HV + head)
        G_last = tl.load(G_ptr + (batch * T + chunk * C + C - 1) * HV + head)
        inverse = tl.load(inverse_ptr + inverse_at)

        e = tl.exp(G)
        R = beta[:, None] * (v - e[:, None] * tl.dot(k, S16))
        v_new = tl.dot(inverse, R.to(tl.bfloat16)).to(tl.bfloat16)
        tl.store(v_new_ptr + value_at, v_new)

        q = tl.load(q_ptr + key_at)
        P = tl.dot(q, tl.trans(k)) * tl.exp(tl.minimum(G[:, None] - G[None, :], 0.0))
        P = tl.where(i[:, None] >= i[None, :], P, 0.0)
        o = e[:, None] * tl.dot(q, S16) + tl.dot(P.to(tl.bfloat16), v_new)
        tl.store(o_ptr + value_at, o.to(tl.bfloat16))

        k_decayed = (k.to(tl.float32) * tl.exp(G_last - G)[:, None]).to(tl.bfloat16)
        S = S * tl.exp(G_last) + tl.dot(tl.trans(k_decayed), v_new)


@triton.jit
def _backward_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    G_ptr,
    beta_ptr,
    inverse_ptr,
    states_ptr,
    v_new_ptr,
    do_ptr,
    dq_ptr,
    dk_ptr,
    dv_ptr,
    dg_ptr,
    dbeta_ptr,
    T,
    n_chunks,
    HK: tl.constexpr,
    HV: tl.constexpr,
    D: tl.constexpr,
    C: tl.constexpr,
):
    """Walks over the chunks of one head from the last to the first; dX is the gradient of X."""
    head_index = tl.program_id(0)
    batch = head_index // HV
    head = head_index % HV
    key_head = head // (HV // HK)
    i = tl.arange(0, C)
    d = tl.arange(0, D)
    on_or_below = i[:, None] >= i[None, :]
    below = i[:, None] > i[None, :]
    dS = tl.zeros([D, D], dtype=tl.float32)
    for step in range(n_chunks):
        chunk = n_chunks - 1 - step
        t = batch * T + chunk * C + i
        key_at = (t[:, None] * HK + key_head) * D + d[None, :]
        value_at = (t[:, None] * HV + head) * D + d[None, :]
        state_at = (head_index * n_chunks + chunk) * D * D + d[:, None] * D + d[None, :]
        inverse_at = (head_index * n_chunks + chunk) * C * C + i[:, None] * C + i[None, :]

        k = tl.load(k_ptr + key_at)
        q = tl.load(q_ptr + key_at)
        G = tl.load(G_ptr + t * HV + head)
        beta = tl.load(beta_ptr + t * HV + head)
        G_last = tl.load(G_ptr + (batch * T + chunk * C + C - 1) * HV + head)
        S = tl.load(states_ptr + state_at)
        v_new = tl.load(v_new_ptr + value_at)
        do = tl.load(do_ptr + value_at)
        e = tl.exp(G)
        e_last = tl.exp(G_last)
        to_end = tl.exp(G_last - G)
        decay = tl.exp(tl.minimum(G[:, None] - G[None, :], 0.0))
        k32 = k.to(tl.float32)
        q32 = q.to(tl.float32)
        dS16 = dS.to(tl.bfloat16)

        # o = e (q S) + P v', and the new state takes k^T v' with decay.
        P = tl.where(on_or_below, tl.dot(q, tl.trans(k)) * decay, 0.0)
        dv_new = tl.dot(tl.trans(P.to(tl.bfloat16)), do)
        dv_new += tl.dot((k32 * to_end[:, None]).to(tl.bfloat16), dS16)
        dP = tl.where(on_or_below, tl.dot(do, tl.trans(v_new)), 0.0)
        dP_P = dP * P
        dG = tl.sum(dP_P, 1) - tl.sum(dP_P, 0)
        dqk = (dP * decay).to(tl.bfloat16)
        do_S = tl.dot(do, tl.trans(S))
        dq = e[:, None] * do_S + tl.dot(dqk, k)
        tl.store(dq_ptr + value_at, dq.to(tl.bfloat16))
        dG += e * tl.sum(q32 * do_S, 1)
        dk = tl.dot(tl.trans(dqk), q)
        dk_decayed = tl.dot(v_new, tl.trans(dS16))
        dk += to_end[:, None] * dk_decayed
        along = to_end * tl.sum(k32 * dk_decayed, 1)
        dG -= along
        dG_last = tl.sum(along, 0) + e_last * tl.sum(tl.sum(S.to(tl.float32) * dS, 1), 0)

        # v' = inverse R with R = beta (v - e k S).
        inverse = tl.load(inverse_ptr + inverse_at)
        dR = tl.dot(tl.trans(inverse), dv_new.to(tl.bfloat16))
        dA = tl.where(below, -tl.dot(dR.to(tl.bfloat16), tl.trans(v_new)) * decay, 0.0)
        k_S = tl.dot(k, S)
        v = tl.load(v_ptr + value_at).to(tl.float32)
        tl.store(dv_ptr + value_at, (beta[:, None] * dR).to(tl.bfloat16))
        dbeta = tl.sum(dR * (v - e[:, None] * k_S), 1)
        dk_S = -(beta * e)[:, None] * dR
        dk_S16 = dk_S.to(tl.bfloat16)
        dk += tl.dot(dk_S16, tl.trans(S))
        dG += tl.sum(dk_S * k_S, 1)

        # A = beta decay (k k^T).
        k_k = tl.dot(k, tl.trans(k))
        dbeta += tl.sum(dA * k_k, 1)
        dk_k = dA * beta[:, None]
        dA_A = dk_k * k_k
        dG += tl.sum(dA_A, 1) - tl.sum(dA_A, 0)
        dk_k16 = dk_k.to(tl.bfloat16)
        dk += tl.dot(dk_k16, k) + tl.dot(tl.trans(dk_k16), k)
        tl.store(dk_ptr + value_at, dk.to(tl.bfloat16))

        dS = e_last * dS + tl.dot(tl.trans((q32 * e[:, None]).to(tl.bfloat16)), do)
        dS += tl.dot(tl.trans(k), dk_S16)

        # g enters every later G of its chunk.
        dG = tl.where(i == C - 1, dG + dG_last, dG)
        dg = tl.sum(dG, 0) - tl.cumsum(dG, 0) + dG
        tl.store(dg_ptr + t * HV + head, dg)
        tl.store(dbeta_ptr + t * HV + head, dbeta)


@torch.library.custom_op("ember::gated_delta_rule", mutates_args=())
def gated_delta_rule(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, g: torch.Tensor, beta: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns the output and what the backward pass needs: G, inverses, states, corrected values.

    q, k, v are bfloat16, g and beta float32 of [batch, tokens, value heads].
    """
    B, T, HK, D = k.shape
    HV = v.shape[2]
    n_chunks = T // CHUNK
    q, k, v, g, beta = (x.contiguous() for x in (q, k, v, g, beta))
    bf16 = {"device": q.device, "dtype": torch.bfloat16}
    G = torch.empty_like(g)
    inverses = torch.empty(B * HV, n_chunks, CHUNK, CHUNK, **bf16)
    states = torch.empty(B * HV, n_chunks, D, D, **bf16)
    o, v_new = torch.empty_like(v), torch.empty_like(v)
    sizes = (T, n_chunks, HK, HV, D, CHUNK)
    _inverse_kernel[(n_chunks, B * HV)](
        k, g, beta, G, inverses, *sizes, "tf32x3", num_warps=4, num_stages=1
    )
    _forward_kernel[(B * HV,)](
        q, k, v, G, beta, inverses, o, states, v_new, *sizes, num_warps=4, num_stages=1
    )
    return o, G, inverses, states, v_new


@gated_delta_rule.register_fake
def _(q, k, v, g, beta):
    B, T, HK, D = k.shape
    HV = v.shape[2]
    n_chunks = T // CHUNK

    def empty(*shape, dtype=torch.bfloat16):
        return torch.empty(*shape, device=q.device, dtype=dtype)

    return (
        empty(B, T, HV, D),
        empty(B, T, HV, dtype=torch.float32),
        empty(B * HV, n_chunks, CHUNK, CHUNK),
        empty(B * HV, n_chunks, D, D),
        empty(B, T, HV, D),
    )


@torch.library.custom_op("ember::gated_delta_rule_backward", mutates_args=())
def gated_delta_rule_backward(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    beta: torch.Tensor,
    G: torch.Tensor,
    inverses: torch.Tensor,
    states: torch.Tensor,
    v_new: torch.Tensor,
    do: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns the gradients of q, k, v, g, beta; those of q and k still by value head."""
    B, T, HK, D = k.shape
    HV = v.shape[2]
    n_chunks = T // CHUNK
    q, k, v, beta, do = (x.contiguous() for x in (q, k, v, beta, do))
    dq, dk, dv = torch.empty_like(v_new), torch.empty_like(v_new), torch.empty_like(v_new)
    dg, dbeta = torch.empty_like(G), torch.empty_like(G)
    _backward_kernel[(B * HV,)](
        *(q, k, v, G, beta, inverses, states, v_new, do),
        *(dq, dk, dv, dg, dbeta),
        *(T, n_chunks, HK, HV, D, CHUNK),
        num_warps=BACKWARD_WARPS,
        num_stages=1,
    )
    return dq, dk, dv, dg, dbeta


@gated_delta_rule_backward.register_fake
def _(q, k, v, beta, G, inverses, states, v_new, do):
    return (
        torch.empty_like(v_new),
        torch.empty_like(v_new),
        torch.empty_like(v_new),
        torch.empty_like(G),
        torch.empty_like(G),
    )


def _save_for_backward(ctx, inputs, output):
    q, k, v, _, beta = inputs
    _, G, inverses, states, v_new = output
    ctx.save_for_backward(q, k, v, beta, G, inverses, states, v_new)


def _backward(ctx, do, *unused):
    q, k, v, beta, *saved = ctx.saved_tensors
    dq, dk, dv, dg, dbeta = gated_delta_rule_backward(q, k, v, beta, *saved, do)
    B, T, HK, D = k.shape
    shared_by = v.shape[2] // HK
    dq = dq.view(B, T, HK, shared_by, D).sum(3)
    dk = dk.view(B, T, HK, shared_by, D).sum(3)
    return dq, dk, dv, dg, dbeta


gated_delta_rule.register_autograd(_backward, setup_context=_save_for_backward)


def reference_delta_rule(q, k, v, g, beta):
    """The same token by token in float32, for tests."""
    shared_by = v.shape[2] // k.shape[2]
    q, k = (x.float().repeat_interleave(shared_by, 2) for x in (q, k))
    v, g, beta = v.float(), g.float(), beta.float()
    B, T, H, D = k.shape
    S = torch.zeros(B, H, D, v.shape[-1], device=q.device)
    outputs = []
    for t in range(T):
        S = S * g[:, t, :, None, None].exp()
        recalled = torch.einsum("bhk,bhkv->bhv", k[:, t], S)
        correction = (v[:, t] - recalled) * beta[:, t, :, None]
        S = S + k[:, t, :, :, None] * correction[:, :, None]
        outputs.append(torch.einsum("bhk,bhkv->bhv", q[:, t], S))
    return torch.stack(outputs, 1)
