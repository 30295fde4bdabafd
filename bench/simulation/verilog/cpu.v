// A small in-order core of two stages for RV32I without bytes, halfwords, fences and calls of an
// environment. The program is a ROM; data are in a RAM of 64 words from address 0. Reading 0x400
// takes a word from `data`, writing it sets `out`, and writing 0x404 sets `events`.
//
// Loads and stores wait while `stall` is 1. A pulse of `irq` is kept until it is served: then the
// core goes to HANDLER, is not interrupted again, and comes back with `mret`. It comes out of
// reset as if it served one, so that the first `mret` goes to MAIN.
module cpu #(
  parameter [31:0] MAIN = 32'd8,
  parameter [31:0] HANDLER = 32'd12
) (
  input  wire        clk,
  input  wire        rst,
  input  wire [15:0] data,
  input  wire        stall,
  input  wire        irq,
  output reg  [31:0] out,
  output reg  [31:0] pc,      // what is fetched
  output reg  [31:0] events,
  output reg         took     // a word was taken from `data`
);
  // Fetched and not yet executed.
  reg         valid;
  reg  [31:0] instr;
  reg  [31:0] instr_pc;

  reg  [31:0] regs [0:31];
  reg  [31:0] ram [0:63];
  reg  [31:0] mepc;
  reg         serving;
  reg         pending;

  wire [31:0] fetched;
  rom rom (.address(pc[9:2]), .word(fetched));

  // Decode.
  wire [4:0] opcode = instr[6:2];
  wire [2:0] funct3 = instr[14:12];
  wire [4:0] rd = instr[11:7];
  wire is_lui    = opcode == 5'b01101;
  wire is_auipc  = opcode == 5'b00101;
  wire is_jal    = opcode == 5'b11011;
  wire is_jalr   = opcode == 5'b11001;
  wire is_branch = opcode == 5'b11000;
  wire is_load   = opcode == 5'b00000;
  wire is_store  = opcode == 5'b01000;
  wire is_alu    = opcode == 5'b01100;
  wire is_imm    = opcode == 5'b00100;
  wire is_mret   = opcode == 5'b11100;

  wire [31:0] imm_i = {{21{instr[31]}}, instr[30:20]};
  wire [31:0] imm_s = {{21{instr[31]}}, instr[30:25], instr[11:7]};
  wire [31:0] imm_b = {{20{instr[31]}}, instr[7], instr[30:25], instr[11:8], 1'b0};
  wire [31:0] imm_u = {instr[31:12], 12'd0};
  wire [31:0] imm_j = {{12{instr[31]}}, instr[19:12], instr[20], instr[30:21], 1'b0};

  wire [31:0] x = instr[19:15] == 5'd0 ? 32'd0 : regs[instr[19:15]];
  wire [31:0] y = instr[24:20] == 5'd0 ? 32'd0 : regs[instr[24:20]];

  // Compute.
  wire [31:0] operand = is_imm ? imm_i : y;
  wire        less = $signed(x) < $signed(operand);
  wire        below = x < operand;
  reg  [31:0] alu;
  always @* begin
    case (funct3)
      3'b000: alu = is_alu && instr[30] ? x - operand : x + operand;
      3'b001: alu = x << operand[4:0];
      3'b010: alu = {31'd0, less};
      3'b011: alu = {31'd0, below};
      3'b100: alu = x ^ operand;
      3'b101: alu = instr[30] ? $unsigned($signed(x) >>> operand[4:0]) : x >> operand[4:0];
      3'b110: alu = x | operand;
      default: alu = x & operand;
    endcase
  end

  reg met;
  always @* begin
    case (funct3[2:1])
      2'b00: met = x == y;
      2'b10: met = less;
      default: met = below;
    endcase
    met = met ^ funct3[0];
  end

  wire [31:0] address = x + (is_store ? imm_s : imm_i);
  wire        outside = address[10];
  wire [31:0] loaded = outside ? {16'd0, data} : ram[address[7:2]];

  // What happens.
  wire hold = valid && (is_load || is_store) && stall;
  wire served = valid && !hold && pending && !serving;
  wire done = valid && !hold && !served;
  wire jumps = is_jal || is_jalr || (is_branch && met) || is_mret;
  wire writes = is_lui || is_auipc || is_jal || is_jalr || is_load || is_alu || is_imm;

  reg [31:0] target;
  always @* begin
    if (is_mret) target = mepc;
    else if (is_jalr) target = (x + imm_i) & ~32'd1;
    else target = instr_pc + (is_jal ? imm_j : imm_b);
  end

  reg [31:0] result;
  always @* begin
    if (is_lui) result = imm_u;
    else if (is_auipc) result = instr_pc + imm_u;
    else if (is_load) result = loaded;
    else if (is_jal || is_jalr) result = instr_pc + 32'd4;
    else result = alu;
  end

  always @(posedge clk) begin
    if (rst) begin
      pc <= 32'd0;
      valid <= 1'b0;
      mepc <= MAIN;
      serving <= 1'b1;
      pending <= 1'b0;
      out <= 32'd0;
      events <= 32'd0;
      took <= 1'b0;
    end else begin
      pending <= irq || (pending && !served);
      took <= done && is_load && outside;
      if (served) begin
        mepc <= instr_pc;
        serving <= 1'b1;
      end else if (done && is_mret) serving <= 1'b0;
      if (served || (done && jumps)) begin
        pc <= served ? HANDLER : target;
        valid <= 1'b0;
      end else if (!hold) begin
        pc <= pc + 32'd4;
        valid <= 1'b1;
      end
      if (done && is_store && outside) begin
        if (address[2]) events <= y;
        else out <= y;
      end
    end
  end

  always @(posedge clk) begin
    if (!hold) begin
      instr <= fetched;
      instr_pc <= pc;
    end
    if (done && writes && rd != 5'd0) regs[rd] <= result;
    if (done && is_store && !outside) ram[address[7:2]] <= y;
  end
endmodule
