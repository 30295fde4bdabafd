// A dot product of 16 bf16 products a cycle, accumulated in fp32. The numbers are those of dot16.py.
module dot16 #(
  parameter int LANES = 16
) (
  input  logic                   clk,
  input  logic                   rst,
  input  logic [15:0]            a [LANES],
  input  logic [15:0]            b [LANES],
  input  logic                   valid,
  input  logic                   clear,  // begin anew
  output logic [31:0]            out
);
  localparam logic [31:0] NOT_A_NUMBER = 32'h7fc00000;
  localparam logic [30:0] INFINITE = 31'h7f800000;

  // To nearest, ties to even; the highest bit of `bits` is 1 or all are 0.
  function automatic logic [31:0] rounded(
      input logic sign, input logic signed [10:0] exponent, input logic [27:0] bits);
    logic [24:0] more;
    logic signed [10:0] e;
    more = {1'b0, bits[27:4]} + 25'(bits[3] & (bits[4] | (|bits[2:0])));
    e = exponent + 11'(more[24]);  // then the mantissa is 0
    if (!bits[27] || e <= 0) return 32'd0;
    if (e >= 255) return {sign, INFINITE};
    return {sign, e[7:0], more[22:0]};
  endfunction

  // Moved to the left until the highest bit is 1, and by how much.
  function automatic logic [32:0] normalised(input logic [27:0] bits);
    logic [27:0] x;
    logic [4:0] n;
    x = bits;
    n = 0;
    if (x[27:12] == 0) begin n[4] = 1'b1; x = x << 16; end
    if (x[27:20] == 0) begin n[3] = 1'b1; x = x << 8; end
    if (x[27:24] == 0) begin n[2] = 1'b1; x = x << 4; end
    if (x[27:26] == 0) begin n[1] = 1'b1; x = x << 2; end
    if (!x[27]) begin n[0] = 1'b1; x = x << 1; end
    return {n, x};
  endfunction

  logic               sign_1 [LANES];
  logic [15:0]        significand_1 [LANES];
  logic [8:0]         scale_1 [LANES];
  logic               nan_1, plus_1, minus_1, valid_1, clear_1;
  logic signed [28:0] sum_2;
  logic [8:0]         largest_2;
  logic               nan_2, plus_2, minus_2, valid_2, clear_2;
  logic [31:0]        sum_3;
  logic               valid_3, clear_3;
  logic [31:0]        acc;

  // All in one block, the last step first: each takes what the one before has left.
  always_ff @(posedge clk) begin
    automatic logic        swap, differ, nan, plus, minus, special, zero;
    automatic logic [31:0] base, upper, lower;
    automatic logic [26:0] top_bits, wide, moved;
    automatic logic [27:0] bits, sum;
    automatic logic [4:0]  zeros;
    automatic logic [8:0]  largest;
    automatic logic [23:0] aligned;
    automatic logic signed [28:0] total;

    // 4: added to the accumulator.
    base = clear_3 ? 32'd0 : acc;
    swap = base[30:0] < sum_3[30:0];
    upper = swap ? sum_3 : base;
    lower = swap ? base : sum_3;
    differ = upper[31] ^ lower[31];
    top_bits = {upper[30:23] != 0, upper[22:0], 3'd0};
    wide = {lower[30:23] != 0, lower[22:0], 3'd0};
    moved = wide >> (upper[30:23] - lower[30:23]);
    moved[0] = moved[0] | ((moved << (upper[30:23] - lower[30:23])) != wide);
    sum = differ ? 28'(top_bits) - 28'(moved) : 28'(top_bits) + 28'(moved);
    {zeros, bits} = normalised(sum);
    if (!valid_3) acc = base;
    else if (upper[30:23] == 8'hff)
      acc = upper[22:0] != 0 || (lower[30:23] == 8'hff && differ) ? NOT_A_NUMBER : upper;
    else acc = rounded(upper[31], signed'(11'(upper[30:23])) + 11'sd1 - 11'(zeros), bits);
    valid_3 = valid_2;
    clear_3 = clear_2;

    // 3: the sum as fp32.
    {zeros, bits} = normalised(28'(sum_2 < 0 ? -sum_2 : sum_2));
    if (nan_2 || (plus_2 && minus_2)) sum_3 = NOT_A_NUMBER;
    else if (plus_2 || minus_2) sum_3 = {minus_2, INFINITE};
    else sum_3 = rounded(sum_2 < 0, signed'(11'(largest_2)) - 11'(zeros) - 11'sd122, bits);
    valid_2 = valid_1;
    clear_2 = clear_1;

    // 2: aligned and summed.
    largest = '0;
    for (int k = 0; k < LANES; k++) largest = scale_1[k] > largest ? scale_1[k] : largest;
    total = '0;
    for (int k = 0; k < LANES; k++) begin
      aligned = {significand_1[k], 8'd0} >> (largest - scale_1[k]);
      total += sign_1[k] ? -29'(aligned) : 29'(aligned);
    end
    sum_2 = total;
    largest_2 = largest;
    nan_2 = nan_1;
    plus_2 = plus_1;
    minus_2 = minus_1;
    valid_1 = valid;
    clear_1 = clear;

    // 1: products.
    special = 1'b0;
    for (int k = 0; k < LANES; k++) begin
      zero = a[k][14:7] == 0 || b[k][14:7] == 0;
      sign_1[k] = a[k][15] ^ b[k][15];
      significand_1[k] = zero ? 16'd0 : {1'b1, a[k][6:0]} * {1'b1, b[k][6:0]};
      scale_1[k] = zero ? 9'd0 : 9'(a[k][14:7]) + 9'(b[k][14:7]);
      special |= a[k][14:7] == 8'hff || b[k][14:7] == 8'hff;
    end
    nan_1 = 1'b0;
    plus_1 = 1'b0;
    minus_1 = 1'b0;
    if (special)
      for (int k = 0; k < LANES; k++) begin
        if (a[k][14:7] == 8'hff || b[k][14:7] == 8'hff) begin
          if ((a[k][14:7] == 8'hff && a[k][6:0] != 0) || (b[k][14:7] == 8'hff && b[k][6:0] != 0)
              || a[k][14:7] == 0 || b[k][14:7] == 0)
            nan_1 = 1'b1;
          else if (a[k][15] ^ b[k][15]) minus_1 = 1'b1;
          else plus_1 = 1'b1;
        end
      end

    if (rst) begin
      {valid_1, valid_2, valid_3} = '0;
      {clear_1, clear_2, clear_3} = '0;
      acc = '0;
    end
  end

  assign out = acc;
endmodule
