module core;
endmodule
