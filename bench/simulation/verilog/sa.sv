// A weight-stationary systolic array of N x N elements: activations go right, sums go down.
// One block with blocking assignments from the far end on: Verilator then moves whole arrays in
// place, and the compiler sees vectors. Elements of one column stand side by side.
module sa #(
  parameter int N = 8,
  parameter int BITS = 8,
  parameter int ACC_BITS = 32
) (
  input  logic                       clk,
  input  logic                       rst,
  input  logic signed [BITS-1:0]     a [N],  // of each row
  input  logic signed [BITS-1:0]     w [N],  // of each column, taken while load is 1
  input  logic                       load,
  output logic signed [ACC_BITS-1:0] out [N]
);
  logic signed [BITS-1:0]     a_q [N][N];  // [column][row]
  logic signed [BITS-1:0]     w_q [N][N];
  logic signed [ACC_BITS-1:0] p_q [N][N];

  always_ff @(posedge clk) begin
    if (rst) begin
      a_q = '{default: '{default: '0}};
      w_q = '{default: '{default: '0}};
      p_q = '{default: '{default: '0}};
    end else begin
      for (int j = N - 1; j > 0; j--) a_q[j] = a_q[j-1];
      a_q[0] = a;
      for (int j = 0; j < N; j++) begin
        for (int i = N - 1; i > 0; i--) p_q[j][i] = p_q[j][i-1] + a_q[j][i] * w_q[j][i];
        p_q[j][0] = a_q[j][0] * w_q[j][0];
      end
      if (load)
        for (int j = 0; j < N; j++) begin
          for (int i = N - 1; i > 0; i--) w_q[j][i] = w_q[j][i-1];
          w_q[j][0] = w[j];
        end
    end
  end

  for (genvar j = 0; j < N; j++) begin : g_out
    assign out[j] = p_q[j][N-1];
  end
endmodule
